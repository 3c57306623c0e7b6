// mocha's spec reporter, and a last line that machines read. A test process that does not end by itself
// holds a leaked timer, socket or child: that is a failure too, and is named.
const { reporters } = require("mocha");

const leakMsMax = 20_000;

module.exports = class IkadaReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, pending } = this.stats;
      let failures = this.stats.failures;
      const skipped = pending > 0 ? `, ${pending} skipped` : "";
      // Does not keep the process alive itself: it fires only when something else does.
      const leak = setTimeout(() => {
        console.log(`leaked resources keep the process alive: ${process.getActiveResourcesInfo().join(", ")}`);
        failures += 1;
        process.exit(1);
      }, leakMsMax);
      leak.unref();
      process.once("exit", () => console.log(`${passes} passed, ${failures} failed${skipped}`));
    });
  }
};
