/** What the benches of one layer, which print a table of rows, are told. */
export interface LayeredBenchOptions {
  readonly rounds: number;
  readonly durationMs: number;
  readonly etcd: boolean;
  /** Where every thread leaves a profile of its processor time; none when absent. */
  readonly profileFolder: string | undefined;
  /** Only rows whose label begins with it. */
  readonly only: string;
}
