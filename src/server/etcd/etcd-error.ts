import { IkadaError, type Reason } from "../../base/errors.js";

/** etcd's clients know its errors by these texts (etcd 3.5, api/v3rpc/rpctypes/error.go). */
const texts = {
  Compacted: ["Compacted", "etcdserver: mvcc: required revision has been compacted"],
  FutureRevision: ["OutOfRange", "etcdserver: mvcc: required revision is a future revision"],
  NoSpace: ["QuotaExceeded", "etcdserver: mvcc: database space exceeded"],
  EmptyKey: ["BadRequest", "etcdserver: key is not provided"],
  KeyNotFound: ["BadRequest", "etcdserver: key not found"],
  ValueProvided: ["BadRequest", "etcdserver: value is provided"],
  LeaseProvided: ["BadRequest", "etcdserver: lease is provided"],
  DuplicateKey: ["BadRequest", "etcdserver: duplicate key given in txn request"],
  TooManyOperations: ["BadRequest", "etcdserver: too many operations in txn request"],
  RequestTooLarge: ["BadRequest", "etcdserver: request is too large"],
  LeaseNotFound: ["NotFound", "etcdserver: requested lease not found"],
  LeaseExists: ["NotReady", "etcdserver: lease already exists"],
  LeaseTooLong: ["OutOfRange", "etcdserver: too large lease TTL"],
  AuthenticationFailed: ["BadRequest", "etcdserver: authentication failed, invalid user ID or password"],
  NoLeader: ["NoLeader", "etcdserver: no leader"],
  NotLeader: ["NoLeader", "etcdserver: not leader"],
} as const satisfies Record<string, readonly [Reason, string]>;

export type EtcdErrorName = keyof typeof texts;

/** An error as etcd would give it. */
export function etcdError(name: EtcdErrorName, cause?: unknown): IkadaError {
  const [reason, text] = texts[name];
  return new IkadaError(reason, text, {}, cause);
}

/** What a call of the store comes to, with its error in etcd's words. */
export async function inEtcdWords<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (caught) {
    throw asEtcdError(caught);
  }
}

/** What the store says, in etcd's words where it has some. */
function asEtcdError(caught: unknown): IkadaError {
  const error = IkadaError.from(caught);
  switch (error.reason) {
    case "Compacted":
      return etcdError("Compacted", caught);
    case "QuotaExceeded":
      return etcdError("NoSpace", caught);
    case "TooLarge":
      return etcdError("RequestTooLarge", caught);
    case "NoLeader":
      return etcdError("NoLeader", caught);
    default:
      return error;
  }
}
