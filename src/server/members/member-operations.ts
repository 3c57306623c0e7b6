import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { WaitOptions } from "../../../store/store.js";
import type { MemberAddresses, MemberStep, ReplicaControl } from "../replica-status.js";
import type { AddressBook } from "./address-book.js";
import { isSameEntry } from "./book-entry.js";
import { behindProblem, quorumProblem, waitUntilReady } from "./member-guards.js";

/** `Done`: it is as wanted, by this call or an earlier one. `HandingOver`: whoever leads next has to do it. */
export type Outcome = "Done" | "HandingOver";

interface How {
  /** Also when too few of the remaining voters were heard from lately. */
  readonly force: boolean;
  /** Refused when the members have changed behind this entry of the log. */
  readonly asOf: number | undefined;
  readonly wait: WaitOptions;
}

const waitHint = "repeat it in a moment; 'ikada cluster status' shows how far each log is";
const forceHint = "bring the others back first, or --force if they are gone for good";

/**
 * Changes of the members as people ask for them. On the leader, one after the other. Each looks first at what is there already, so
 * that a repeat, by whomever and after whatever part was done, ends in the same state. Order of a new server: address book,
 * then the log, so that it is dialled; of a removed one the other way round, so that it is refused when it is one no more.
 */
export class MemberOperations {
  readonly #replica: ReplicaControl;
  readonly #book: AddressBook;
  #last: Promise<unknown> = Promise.resolve();

  constructor(replica: ReplicaControl, book: AddressBook) {
    this.#replica = replica;
    this.#book = book;
  }

  /** @throws IkadaError NoLeader, NotReady, NotFound, AlreadyExists, Invalid */
  run(request: ikada.api.v1.IChangeMembersRequest, wait: WaitOptions): Promise<Outcome> {
    const done = this.#last.then(() => this.#run(request, wait));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #run(request: ikada.api.v1.IChangeMembersRequest, wait: WaitOptions): Promise<Outcome> {
    await this.#book.writeConfigured(wait);
    const how: How = { force: request.force ?? false, asOf: request.asOf || undefined, wait };
    if (request.add) return await this.#add(request.add, how);
    if (request.promote) return await this.#promote(request.promote, how);
    if (request.demote) return await this.#demote(request.demote, how);
    if (request.remove) return await this.#remove(request.remove, how);
    if (request.replace) return await this.#replace(request.replace.old ?? 0, request.replace.replacement ?? 0, how);
    throw new IkadaError("BadRequest", "a change of the members says what is to change");
  }

  async #add(wanted: ikada.api.v1.IMemberAddresses, how: How): Promise<Outcome> {
    const member = checkAddresses(wanted);
    const { id } = member;
    this.#checkFree(member);
    const known = this.#book.member(id);
    if (!known || !isSameEntry(known, member)) await this.#book.put(member, how.wait);
    const { voters, learners } = this.#replica.status();
    if (voters.includes(id) || learners.includes(id)) return "Done";
    if (voters.length + learners.length >= limits.membersMax)
      throw new IkadaError("TooLarge", `there are ${limits.membersMax} servers already`);
    return await this.#change([{ type: "AddLearner", node: id }], how);
  }

  async #promote(id: number, how: How): Promise<Outcome> {
    const { voters } = this.#replica.status();
    if (voters.includes(id)) return "Done";
    await this.#readyToVote(id, [...voters, id], how.force);
    return await this.#change([{ type: "AddVoter", node: id }], how);
  }

  async #demote(id: number, how: How): Promise<Outcome> {
    this.#known(id);
    const { voters, learners } = this.#replica.status();
    if (learners.includes(id)) return "Done";
    if (!voters.includes(id)) throw notAdded(id);
    if (await this.#handOver(id)) return "HandingOver";
    await this.#goOnWithout(id, how.force);
    return await this.#change([{ type: "AddLearner", node: id }], how);
  }

  async #remove(id: number, how: How): Promise<Outcome> {
    if (this.#book.isRemoved(id)) return "Done";
    const member = this.#known(id);
    const { voters, learners } = this.#replica.status();
    if (voters.includes(id)) {
      if (await this.#handOver(id)) return "HandingOver";
      await this.#goOnWithout(id, how.force);
    }
    if (voters.includes(id) || learners.includes(id)) await this.#change([{ type: "Remove", node: id }], how);
    await this.#book.put(member, how.wait, true);
    return "Done";
  }

  async #replace(old: number, replacement: number, how: How): Promise<Outcome> {
    if (old === replacement) throw new IkadaError("Invalid", "a server is replaced by another one");
    if (this.#book.isRemoved(old)) return await this.#promote(replacement, how);
    const member = this.#known(old);
    const { voters, learners } = this.#replica.status();
    const steps: MemberStep[] = [];
    if (!voters.includes(replacement)) {
      await this.#readyToVote(replacement, [...voters.filter((id) => id !== old), replacement], how.force);
      steps.push({ type: "AddVoter", node: replacement });
    }
    if (await this.#handOver(old)) return "HandingOver";
    if (voters.includes(old) || learners.includes(old)) steps.push({ type: "Remove", node: old });
    if (steps.length > 0) await this.#change(steps, how);
    await this.#book.put(member, how.wait, true);
    return "Done";
  }

  async #change(steps: readonly MemberStep[], { asOf, wait }: How): Promise<"Done"> {
    await this.#replica.changeMembers(steps, asOf, wait);
    return "Done";
  }

  /** A leader that is to go lets another one lead first, so that nobody has to wait for an election. */
  async #handOver(id: number): Promise<boolean> {
    if (this.#replica.status().id !== id) return false;
    if (this.#replica.status().voters.length === 1)
      throw new IkadaError("Invalid", `server ${id} is the only one that votes`, {
        hint: "add and promote another server first, or use 'ikada cluster replace'",
      });
    const successor = (): number | undefined => {
      const { progress, voters } = this.#replica.status();
      const others = progress.filter((each) => each.id !== id && each.active && voters.includes(each.id));
      return others.sort((left, right) => right.match - left.match)[0]?.id;
    };
    const nobody = "no other voting server was heard from lately that could lead instead";
    await waitUntilReady(this.#replica, () => (successor() === undefined ? nobody : undefined), waitHint);
    const to = successor();
    if (to !== undefined) this.#replica.transferLeadership(to);
    return true;
  }

  async #goOnWithout(id: number, force: boolean): Promise<void> {
    const remaining = this.#replica.status().voters.filter((voter) => voter !== id);
    if (remaining.length === 0) throw new IkadaError("Invalid", `server ${id} is the only one that votes`);
    if (!force) await waitUntilReady(this.#replica, (status) => quorumProblem(status, remaining), forceHint);
  }

  async #readyToVote(id: number, voters: readonly number[], force: boolean): Promise<void> {
    const { name } = this.#known(id);
    if (!this.#replica.status().learners.includes(id)) throw notAdded(id);
    await waitUntilReady(this.#replica, (status) => behindProblem(status, id, name), waitHint);
    if (!force) await waitUntilReady(this.#replica, (status) => quorumProblem(status, voters), forceHint);
  }

  #known(id: number): MemberAddresses {
    const member = this.#book.member(id);
    if (member) return member;
    const known = this.#book.members.map((each) => `${each.id} (${each.name})`).join(", ");
    const what = this.#book.isRemoved(id) ? `server ${id} was removed` : `there is no server ${id}`;
    throw new IkadaError("NotFound", what, { hint: `servers are ${known}` });
  }

  #checkFree({ id, name, raft }: MemberAddresses): void {
    const next = Math.max(...[...this.#book.members, ...this.#book.removed].map((each) => each.id)) + 1;
    const hint = `the next free id is ${next}`;
    if (this.#book.isRemoved(id))
      throw new IkadaError("AlreadyExists", `id ${id} was a server's that was removed; ids are never used again`, {
        hint,
      });
    const other = this.#book.members.find((each) => (each.id === id) !== (each.name === name));
    if (other) throw new IkadaError("AlreadyExists", `server ${other.id} is "${other.name}" already`, { hint });
    const place = this.#book.members.find((each) => each.raft === raft && each.id !== id);
    if (place) throw new IkadaError("AlreadyExists", `${raft} is the address of server ${place.id}`, { hint });
  }
}

/** @throws IkadaError Invalid with the faulty field */
function checkAddresses(wanted: ikada.api.v1.IMemberAddresses): MemberAddresses {
  const { id, name, api, agents, replicas, raft } = wanted;
  if (!id || id > 1023) throw new IkadaError("Invalid", `${id ?? 0} is no server id: 1 to 1023`);
  if (!name) throw new IkadaError("Invalid", "a server needs a name, the one in its certificate");
  const addresses = { api, agents, replicas, raft };
  for (const [field, address] of Object.entries(addresses)) {
    if (!/^(?:\[[0-9a-f:.]+\]|[^:\s]+):\d{1,5}$/i.test(address ?? ""))
      throw new IkadaError("Invalid", `${field}: an address host:port is expected, not "${address ?? ""}"`);
  }
  return { id, name, api: api!, agents: agents!, replicas: replicas!, raft: raft! };
}

function notAdded(id: number): IkadaError {
  return new IkadaError("NotReady", `server ${id} is in the address book and not among the members yet`, {
    hint: "repeat 'ikada cluster add'",
  });
}
