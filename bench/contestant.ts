/** A replicated store under test: three processes on this machine, reached over TLS. */
export interface Contestant {
  readonly name: string;
  /** A connection of its own, to the leader where the client can tell. */
  connect(): Promise<BenchClient>;
  /** How to reach the leader by etcd's v3 API, and the others. */
  endpoint(): Promise<Endpoint>;
  /** Of the server processes that run now. */
  pids(): readonly number[];
  /** kill -9 of the present leader. It is started again after the return. */
  killLeader(): Promise<void>;
  /** Resolves when all three processes answer and there is a leader. */
  settle(): Promise<void>;
  /** Stops the processes and removes their files. */
  close(): Promise<void>;
}

export interface BenchClient {
  /** Resolves once the write is acknowledged. Tries other servers by itself until one takes it. */
  put(key: string, value: string): Promise<void>;
  /** A linearizable read. */
  get(key: string): Promise<void>;
  /** Resolves once the watch stands; then calls back for every change of any key, until `close`. */
  watch(onChange: (key: string) => void): Promise<void>;
  close(): Promise<void>;
}

export interface Endpoint {
  /** `host:port` of the leader. */
  readonly address: string;
  /** The same of all servers. */
  readonly all: readonly string[];
  /** PEM of the authority of the servers' certificates. */
  readonly authority: string;
  /** For the header `token`, where etcd's clients put it. */
  readonly token: string;
}
