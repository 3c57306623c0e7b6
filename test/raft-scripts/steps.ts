import type { ConfChangeStep, ConfChangeStepType } from "../../raft/core/configuration.js";

const types = new Map<string, ConfChangeStepType>([
  ["v", "AddVoter"],
  ["l", "AddLearner"],
  ["r", "Remove"],
  ["u", "Update"],
]);

/** `v1 l2 r3 u4`: make 1 a voter, 2 a learner, remove 3, update 4. The error's text is etcd's. */
export function parseSteps(input: string): readonly ConfChangeStep[] | { readonly error: string } {
  const steps: ConfChangeStep[] = [];
  for (const token of input.trim() === "" ? [] : input.trim().split(" ")) {
    if (token.length < 2) return { error: `unknown token ${token}` };
    const type = types.get(token[0]!);
    if (type === undefined) return { error: `unknown input: ${token}` };
    const number = token.slice(1);
    if (!/^\d+$/.test(number)) return { error: `strconv.ParseUint: parsing "${number}": invalid syntax` };
    steps.push({ type, node: Number(number) });
  }
  return steps;
}

export function stepsText(steps: readonly ConfChangeStep[]): string {
  const letters = new Map([...types].map(([letter, type]) => [type, letter]));
  return steps.map(({ type, node }) => `${letters.get(type)!}${node}`).join(" ");
}
