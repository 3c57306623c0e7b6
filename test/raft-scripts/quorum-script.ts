import { committedIndex, majorityIndex, majorityVote, voteResult } from "../../raft/core/quorum.js";
import type { ConfState, Index, NodeId } from "../../raft/core/types.js";
import { DirectiveError, wholeNumber } from "./arguments.js";
import type { Directive } from "./script.js";

/** `committed` and `vote`: what a majority, or two, make of acknowledged indexes and votes. */
export function runQuorumDirective(directive: Directive): string {
  const question = parseQuestion(directive);
  const voters = [...new Set([...question.config, ...question.joint])];
  const given = directive.command === "vote" ? question.votes : question.indexes;
  if (voters.length !== given.length) {
    const sorted = voters.sort((left, right) => left - right).map((id) => `${id}:{}`);
    return `error: mismatched input (explicit or _) for voters map[${sorted.join(" ")}]: [${given.join(" ")}]`;
  }
  const answers = new Map<NodeId, number>();
  voters.forEach((id, place) => {
    if (given[place] !== 0) answers.set(id, given[place]!);
  });
  return directive.command === "vote" ? vote(question, answers) : committed(question, answers);
}

interface Question {
  readonly config: NodeId[];
  readonly joint: NodeId[];
  isJoint: boolean;
  /** In the order of the voters; 0 where nothing is known. */
  readonly indexes: Index[];
  /** 2 for, 1 against, 0 not voted. */
  readonly votes: number[];
}

function parseQuestion(directive: Directive): Question {
  const question: Question = { config: [], joint: [], isJoint: false, indexes: [], votes: [] };
  for (const { key, values } of directive.args) {
    for (const value of values) {
      if (key === "cfg") question.config.push(wholeNumber(value, key));
      else if (key === "cfgj") {
        question.isJoint = true;
        if (value !== "zero") question.joint.push(wholeNumber(value, key));
      } else if (key === "idx") question.indexes.push(value === "_" ? 0 : wholeNumber(value, key));
      else if (key === "votes") question.votes.push(voteNumber(value));
      else throw new DirectiveError(`unknown argument ${key}`);
    }
  }
  return question;
}

function voteNumber(value: string): number {
  const number = ["_", "n", "y"].indexOf(value);
  if (number < 0) throw new DirectiveError(`unknown vote ${value}`);
  return number;
}

function configuration(voters: readonly NodeId[], outgoing: readonly NodeId[]): ConfState {
  return { voters, outgoing, learners: [], learnersNext: [], autoLeave: false };
}

/**
 * The index, beside it a bar for each voter, as long as there are voters with lower indexes. What must not matter is tried
 * too (the order of the halves, an empty or an equal second half, lower numbers of those who are behind anyhow), and shows
 * only when it does.
 */
function committed({ config, joint, isJoint }: Question, indexes: ReadonlyMap<NodeId, Index>): string {
  const of = (id: NodeId): Index => indexes.get(id) ?? 0;
  const index = committedIndex(configuration(config, joint), of);
  const output = bars([...new Set([...config, ...joint])], indexes);
  const doubts: string[] = [];
  const check = (other: Index, how: string): void => {
    if (other !== index) doubts.push(`${indexText(other)} <-- ${how}\n`);
  };
  if (isJoint) {
    check(committedIndex(configuration(joint, config), of), "via symmetry");
  } else {
    check(majorityIndex(config, of), "via zero-joint quorum");
    check(committedIndex(configuration(config, config), of), "via self-joint quorum");
    for (const id of config) {
      if (of(id) === 0 || of(id) >= index) continue;
      check(
        majorityIndex(config, (other) => (other === id ? 0 : of(other))),
        `overlaying ${id}->0`,
      );
    }
  }
  return `${output}${doubts.join("")}${indexText(index)}\n`;
}

function vote({ config, joint }: Question, votes: ReadonlyMap<NodeId, number>): string {
  const cast = new Map([...votes].map(([id, number]) => [id, number === 2]));
  const result = voteResult(configuration(config, joint), cast);
  const mirrored = joint.length === 0 ? majorityVote(config, cast) : voteResult(configuration(joint, config), cast);
  const doubt = mirrored === result ? "" : `Vote${mirrored} <-- via symmetry\n`;
  return `${doubt}Vote${result}\n`;
}

function bars(voters: NodeId[], indexes: ReadonlyMap<NodeId, Index>): string {
  if (voters.length === 0) return "<empty majority quorum>";
  const of = (id: NodeId): Index => indexes.get(id) ?? 0;
  const count = voters.length;
  const lines = voters
    .sort((left, right) => left - right)
    .map((id) => {
      const lower = voters.filter((other) => of(other) < of(id)).length;
      const bar = indexes.has(id) ? `${"x".repeat(lower)}>${" ".repeat(count - lower)}` : `?${" ".repeat(count)}`;
      return `${bar} ${indexText(of(id)).padStart(5)}    (id=${id.toString(16)})\n`;
    });
  return `${" ".repeat(count)}    idx\n${lines.join("")}`;
}

function indexText(index: Index): string {
  return index === Infinity ? "∞" : String(index);
}
