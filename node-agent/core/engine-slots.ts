/**
 * Lets a few engine operations run at once, in the order of asking. Making and starting containers takes processor time, and more
 * than four at once only makes each slower (measured with Docker 20.10 on two processors). Stops do not pass here: they mostly wait.
 */
export class EngineSlots {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(max = 4) {
    this.#max = max;
  }

  /** `work` calls the function it gets once, when it is over. */
  run(work: (over: () => void) => void): void {
    const begin = (): void => {
      this.#running += 1;
      let ended = false;
      work(() => {
        if (ended) return;
        ended = true;
        this.#running -= 1;
        this.#waiting.shift()?.();
      });
    };
    if (this.#running < this.#max) begin();
    else this.#waiting.push(begin);
  }
}
