import { IkadaError } from "../../src/base/errors.js";
import type { NodeId } from "../core/types.js";

export interface PeerAddress {
  readonly id: NodeId;
  /** The common name in its certificate. */
  readonly name: string;
  /** `host:port` */
  readonly address: string;
}

/** What the address book says. */
export interface KnownMembers {
  readonly members: readonly PeerAddress[];
  /** Ids of servers that were removed, which are never used again. */
  readonly removed: readonly NodeId[];
}

/** Who a stream says it is from. A member of an earlier version says nothing. */
export type Greeting = Partial<PeerAddress>;

/** Servers that greet, have a certificate and stand in no address book here: a few, before the book comes. */
const strangersMax = 64;

/**
 * Who may speak here. The certificate's name and the id are who a member is; its address is only a hint. A member that is behind
 * may be greeted by one that was added since, its leader even: whoever has a server's certificate of this cluster is let in unless
 * the address book says otherwise.
 */
export class MemberDirectory {
  readonly #self: NodeId;
  #known: KnownMembers;
  readonly #strangers = new Map<NodeId, PeerAddress>();

  constructor(self: NodeId, known: KnownMembers) {
    this.#self = self;
    this.#known = known;
  }

  /** All that are dialled. */
  get peers(): PeerAddress[] {
    return [...this.#known.members.filter(({ id }) => id !== this.#self), ...this.#strangers.values()];
  }

  set(known: KnownMembers): void {
    this.#known = known;
    for (const id of [...known.members.map((member) => member.id), ...known.removed]) this.#strangers.delete(id);
  }

  isRemoved(id: NodeId): boolean {
    return this.#known.removed.includes(id);
  }

  /** Who it is that has greeted, or stands in the address book, under this name. @throws IkadaError Forbidden */
  named(name: string): NodeId {
    const peer = this.peers.find((each) => each.name === name);
    if (peer) return peer.id;
    throw forbidden(`"${name}" is not known`);
  }

  /** Who it is that shows a certificate of this name. @throws IkadaError Forbidden, Removed */
  identify(name: string, greeting: Greeting): NodeId {
    const { id, address } = greeting;
    if (greeting.name !== undefined && greeting.name !== name)
      throw forbidden(`the certificate is of "${name}", the greeting of "${greeting.name}"`);
    if (id !== undefined && this.isRemoved(id)) throw removedError(id);
    const member = this.#known.members.find((each) => each.name === name || each.id === id);
    if (member) {
      if (member.id === this.#self || member.name !== name || (id ?? member.id) !== member.id)
        throw forbidden(`${member.name} is member ${member.id}, not "${name}" member ${id ?? "without an id"}`);
      return member.id;
    }
    if (id === undefined || address === undefined)
      throw forbidden(`"${name}" is not in this server's configuration, and does not say who it is`);
    const namesake = [...this.#strangers.values()].find((each) => each.name === name || each.id === id);
    if (namesake && (namesake.id !== id || namesake.name !== name))
      throw forbidden(`${namesake.name} is member ${namesake.id}`);
    if (!namesake && this.#strangers.size >= strangersMax) throw forbidden("too many servers that nobody has added");
    this.#strangers.set(id, { id, name, address });
    return id;
  }
}

function forbidden(why: string): IkadaError {
  return new IkadaError("Forbidden", `Raft streams are for the other members of this cluster only: ${why}`, {
    hint: "the certificate needs the role server and the name of a member in this server's configuration",
  });
}

export function removedError(id: NodeId): IkadaError {
  return new IkadaError("Removed", `this server, member ${id}, was removed from the cluster`, {
    hint: 'Leave it stopped. To let this machine join again, empty the data folder and give it a new id: docs/operations.md, "Adding, replacing, removing a server".',
  });
}
