import { IkadaError } from "../src/base/errors.js";
import type { ConfChange, ConfChangeStep, ConfChangeStepType, ConfChangeTransition } from "./core/configuration.js";
import { leaveJointChange } from "./core/configuration.js";
import type { ConfState, NodeId } from "./core/types.js";
import { readU16, readU64, writeU16, writeU64 } from "./log/bytes.js";

/**
 * Configurations and their changes as bytes in the log. Little-endian, each begins with its format u16:
 *
 *     change          format u16, transition u8, count u8, then per step: type u8, node u64; in format 2 its result, a configuration, behind
 *     configuration   format u16, autoLeave u8, then four lists (voters, outgoing, learners, learnersNext): count u8, node u64 each
 *
 * A change without bytes leaves a joint configuration: the core appends it by itself.
 */
const formatVersion = 1;
/** Of a change that carries its result. */
const resultVersion = 2;
const listMax = 255;

/** Position is the number on disk; never reordered. */
const stepTypes: readonly ConfChangeStepType[] = ["AddVoter", "Remove", "Update", "AddLearner"];
const transitions: readonly ConfChangeTransition[] = ["Auto", "JointImplicit", "JointExplicit"];

export function encodeConfChange(change: ConfChange): Uint8Array {
  if (change.steps.length === 0) return new Uint8Array(0);
  if (change.steps.length > listMax) throw new IkadaError("TooLarge", `a change of more than ${listMax} members`);
  const result = change.result ? encodeConfState(change.result) : undefined;
  const resultAt = 4 + 9 * change.steps.length;
  const bytes = new Uint8Array(resultAt + (result?.length ?? 0));
  writeU16(bytes, 0, result ? resultVersion : formatVersion);
  if (result) bytes.set(result, resultAt);
  bytes[2] = transitions.indexOf(change.transition);
  bytes[3] = change.steps.length;
  for (const [place, step] of change.steps.entries()) {
    bytes[4 + 9 * place] = stepTypes.indexOf(step.type);
    writeU64(bytes, 5 + 9 * place, step.node);
  }
  return bytes;
}

/** @throws IkadaError Unsupported for bytes that no version up to this one wrote */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  if (bytes.length === 0) return leaveJointChange;
  const transition = transitions[bytes[2] ?? -1];
  const resultAt = 4 + 9 * (bytes[3] ?? 0);
  const format = bytes.length < 4 ? 0 : readU16(bytes, 0);
  const isWhole = format === formatVersion ? bytes.length === resultAt : bytes.length > resultAt;
  if (!transition || !isWhole || (format !== formatVersion && format !== resultVersion))
    throw unknownBytes("configuration change");
  const steps: ConfChangeStep[] = [];
  for (let at = 4; at < resultAt; at += 9) {
    const type = stepTypes[bytes[at] as number];
    if (!type) throw unknownBytes("configuration change");
    steps.push({ type, node: readU64(bytes, at + 1) });
  }
  if (format === formatVersion) return { transition, steps };
  return { transition, steps, result: decodeConfState(bytes.subarray(resultAt)) };
}

export function encodeConfState(state: ConfState): Uint8Array {
  const lists = [state.voters, state.outgoing, state.learners, state.learnersNext];
  const bytes = new Uint8Array(lists.reduce((sum, list) => sum + 1 + 8 * list.length, 3));
  writeU16(bytes, 0, formatVersion);
  bytes[2] = state.autoLeave ? 1 : 0;
  let at = 3;
  for (const list of lists) {
    if (list.length > listMax) throw new IkadaError("TooLarge", `a configuration of more than ${listMax} members`);
    bytes[at++] = list.length;
    for (const node of list) {
      writeU64(bytes, at, node);
      at += 8;
    }
  }
  return bytes;
}

/** @throws IkadaError Unsupported for bytes that no version up to this one wrote */
export function decodeConfState(bytes: Uint8Array): ConfState {
  if (bytes.length < 3 || readU16(bytes, 0) !== formatVersion) throw unknownBytes("configuration");
  let at = 3;
  const list = (): NodeId[] => {
    const count = bytes[at] ?? listMax;
    const end = at + 1 + 8 * count;
    if (end > bytes.length) throw unknownBytes("configuration");
    const nodes: NodeId[] = [];
    for (at++; at < end; at += 8) nodes.push(readU64(bytes, at));
    return nodes;
  };
  const [voters, outgoing, learners, learnersNext] = [list(), list(), list(), list()];
  if (at !== bytes.length) throw unknownBytes("configuration");
  return { voters, outgoing, learners, learnersNext, autoLeave: bytes[2] === 1 };
}

function unknownBytes(what: string): IkadaError {
  return new IkadaError("Unsupported", `the Raft log holds a ${what} of an unknown format`, {
    hint: "Start the version of ikada that wrote this data folder, or a newer one.",
  });
}
