import assert from "node:assert/strict";
import {
  encodePins,
  imagePinRules,
  imagePins,
  imagePinsAnnotation,
  isMovable,
  isPinOf,
  pinImagesAnnotation,
  pinOf,
} from "../../src/api/image-pins.js";
import type { FieldFault } from "../../src/base/errors.js";

const digest = `sha256:${"a".repeat(64)}`;
const id = `sha256:${"b".repeat(64)}`;

describe("image pins", () => {
  it("are digests of the very repository, or ids", () => {
    assert.ok(isPinOf("web:1", `web@${digest}`));
    assert.ok(isPinOf("web:1", `docker.io/library/web@${digest}`), "one repository by two names");
    assert.ok(isPinOf("r.io:5000/team/web", `r.io:5000/team/web@${digest}`));
    assert.ok(isPinOf("web:1", id));
    const others = [
      `evil@${digest}`,
      `r.io/web@${digest}`,
      `web:1@${digest}`,
      "web:2",
      "web@sha256:12",
      "sha256:12",
      "",
      `${id}\n`,
    ];
    for (const pin of others) assert.ok(!isPinOf("web:1", pin), pin);
  });

  it("are for what may move alone", () => {
    for (const image of ["web", "web:1", "r.io/a/b:latest"]) assert.ok(isMovable(image), image);
    for (const image of [`web@${digest}`, `web:1@${digest}`, id, "Not/A Name"]) assert.ok(!isMovable(image), image);
    assert.ok(!isPinOf(`web@${digest}`, `web@${digest}`));
  });

  it("come from what an engine found: a registry's word before its own", () => {
    const other = `web@sha256:${"0".repeat(64)}`;
    assert.equal(pinOf("web:1", { id, digests: [`mirror/web@${digest}`, `web@${digest}`, other] }), other);
    assert.equal(pinOf("web:1", { id, digests: [`mirror/web@${digest}`] }), id);
  });

  it("are read with what is none left out, and written the same for the same", () => {
    const text = JSON.stringify({ "web:1": `web@${digest}`, "db:1": `evil@${digest}`, constructor: id });
    const read = imagePins({ [imagePinsAnnotation]: text });
    assert.deepEqual(
      read,
      new Map([
        ["web:1", `web@${digest}`],
        ["constructor", id],
      ]),
    );
    assert.deepEqual(imagePins({ [imagePinsAnnotation]: encodePins(read) }), read);
    assert.equal(encodePins(new Map([...read].reverse())), encodePins(read));
    for (const broken of ["", "[]", "null", "{", '{"web:1":1}'])
      assert.equal(imagePins({ [imagePinsAnnotation]: broken }).size, 0, broken);
    assert.equal(imagePins({ [imagePinsAnnotation]: text, [pinImagesAnnotation]: "false" }).size, 0);
    assert.equal(imagePins(undefined).size, 0);
  });

  it("by hand are checked", () => {
    const faultsOf = (annotations: Record<string, string>): readonly string[] => {
      const faults: FieldFault[] = [];
      imagePinRules(annotations, "spec.template.metadata", faults);
      return faults.map(({ field, message }) => `${field} ${message}`);
    };
    assert.deepEqual(faultsOf({ [pinImagesAnnotation]: "false", [imagePinsAnnotation]: `{"web:1":"${id}"}` }), []);
    assert.match(
      faultsOf({ [pinImagesAnnotation]: "off" })[0] ?? "",
      /^spec\.template\.metadata\.annotations\[ikada\.dev\/pin-images\] must be "true" or "false", not "off"$/,
    );
    assert.match(faultsOf({ [imagePinsAnnotation]: "web" })[0] ?? "", /must be a JSON object/);
    assert.match(faultsOf({ [imagePinsAnnotation]: `{"web:1":"evil@${digest}"}` })[0] ?? "", /no digest of the repos/);
  });
});
