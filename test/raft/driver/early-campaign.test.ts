import assert from "node:assert/strict";
import { EarlyCampaign } from "../../../raft/early-campaign.js";
import type { Timer } from "../../../src/base/env.js";

/** Timers by hand: what is due at which time. */
class Agenda {
  now = 0;
  readonly #due: { at: number; run: () => void }[] = [];

  after(delayMs: number, run: () => void): Timer {
    const entry = { at: this.now + delayMs, run };
    this.#due.push(entry);
    return { cancel: () => void this.#due.splice(this.#due.indexOf(entry), this.#due.includes(entry) ? 1 : 0) };
  }

  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due.splice(this.#due.indexOf(next), 1);
      this.now = next.at;
      next.run();
    }
    this.now = until;
  }
}

const tickMs = 50;

function follower(self: number, chance: number) {
  const agenda = new Agenda();
  const state = { term: 1, leader: 0, campaigns: [] as number[] };
  const campaign = new EarlyCampaign({
    env: { timers: agenda, random: { next: () => chance, int: () => 0, bytes: (length) => new Uint8Array(length) } },
    tickMs,
    term: () => state.term,
    attempt: () => {
      if (state.leader !== 0) return false;
      state.campaigns.push(agenda.now);
      return true;
    },
  });
  return { agenda, state, campaign, self };
}

describe("early campaigns after a leader's death", () => {
  it("take turns: the last moment of one is before the first of the next", () => {
    for (const leader of [1, 2, 3, 4, 5]) {
      const voters = [1, 2, 3, 4, 5];
      const others = voters.filter((id) => id !== leader);
      const times = others.map((self) => {
        const [early, late] = [0, 0.999].map((chance) => {
          const { agenda, state, campaign } = follower(self, chance);
          campaign.leaderLost(self, leader, voters);
          agenda.pass(6 * tickMs);
          return state.campaigns[0]!;
        });
        return { early: early!, late: late! };
      });
      times.sort((a, b) => a.early - b.early);
      for (const [index, { early }] of times.entries()) if (index > 0) assert.ok(times[index - 1]!.late + 20 < early);
      assert.ok(times[0]!.late < tickMs, "the first one waits for nobody");
    }
  });

  it("leave an election alone that somebody else has begun, and follow when it fails", () => {
    const { agenda, state, campaign } = follower(3, 0);
    campaign.leaderLost(3, 1, [1, 2, 3]);
    agenda.pass(20);
    state.term = 2;
    agenda.pass(2 * tickMs);
    assert.deepEqual(state.campaigns, []);
    agenda.pass(6 * tickMs);
    assert.ok(state.campaigns.length > 0);
  });

  it("end when a leader is known, and after a few attempts", () => {
    const known = follower(2, 0);
    known.campaign.leaderLost(2, 1, [1, 2, 3]);
    known.state.leader = 3;
    known.agenda.pass(100 * tickMs);
    assert.deepEqual(known.state.campaigns, []);
    const alone = follower(2, 0);
    alone.campaign.leaderLost(2, 1, [1, 2, 3]);
    alone.agenda.pass(100 * tickMs);
    assert.equal(alone.state.campaigns.length, 4);
  });

  it("of a member that does not vote come last", () => {
    const { agenda, state, campaign } = follower(9, 0);
    campaign.leaderLost(9, 1, [1, 2, 3]);
    agenda.pass(2 * tickMs);
    assert.deepEqual(state.campaigns, []);
  });
});
