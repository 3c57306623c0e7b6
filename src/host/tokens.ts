import { createHash, timingSafeEqual } from "node:crypto";
import { IkadaError } from "../base/errors.js";

export interface TokenHash {
  readonly name: string;
  /** SHA-256 of the token in hex; the token itself is stored nowhere. Absent: no token, a certificate instead. */
  readonly sha256?: string | undefined;
}

/**
 * Finds whose a bearer token is. All hashes are compared, always, so that the time tells nothing; a token that was right once is found by
 * itself from then on, by the table's own hash, so that no wrong one is compared with it. @throws IkadaError Invalid at once when a hash is none
 */
export function tokenOwner<User extends TokenHash>(users: readonly User[]): (token: string) => User | undefined {
  const known = users.flatMap((user) =>
    user.sha256 === undefined ? [] : [{ user, hash: hashFromHex(user.name, user.sha256) }],
  );
  const right = new Map<string, User>();
  return (token) => {
    const owner = right.get(token);
    if (owner) return owner;
    const hash = createHash("sha256").update(token).digest();
    let found: User | undefined;
    for (const each of known) if (timingSafeEqual(each.hash, hash)) found = each.user;
    if (found) right.set(token, found);
    return found;
  };
}

function hashFromHex(name: string, sha256: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(sha256)) return Buffer.from(sha256, "hex");
  throw new IkadaError("Invalid", `user ${name}: sha256 is not 64 hex digits`, {
    hint: "printf %s <token> | sha256sum",
  });
}
