import { formatLabelSelector } from "../src/api/selector.js";
import { kindNamed } from "../src/api/registry.js";
import type { Deployment } from "../src/api/kinds/apps.js";
import type { Pod } from "../src/api/kinds/pod.js";
import { IkadaError } from "../src/base/errors.js";
import { parseTargets, typed, type Session } from "./session.js";

const pods = kindNamed("pods");

/** Which Pods a word means: one by its name, or those that something selects. */
export type PodChoice = { readonly pod: string } | { readonly labelSelector: string; readonly what: string };

/** `web-1`, `pod/web-1`, `deployment/web`. @throws IkadaError BadRequest, NotFound */
export async function choosePods(session: Session, word: string): Promise<PodChoice> {
  if (!word.includes("/")) return { pod: word };
  const [target] = parseTargets([word]);
  if (target?.name === undefined) throw new IkadaError("BadRequest", "name one Pod or one Deployment");
  if (target.kind === pods) return { pod: target.name };
  const { client, namespace, signal, deadlineMs } = session;
  const owner = await client.get(target.kind, target.name, { namespace, signal, deadlineMs });
  const selector = typed<Deployment>(owner).spec?.selector;
  if (selector === undefined) throw new IkadaError("BadRequest", `${target.kind.plural} have no Pods of their own`);
  return { labelSelector: formatLabelSelector(selector), what: `${target.kind.singular} "${target.name}"` };
}

/** All that were chosen, by name. @throws IkadaError NotFound for a Pod that is not there */
export async function listPods(session: Session, choice: PodChoice): Promise<Pod[]> {
  const { client, namespace, signal, deadlineMs } = session;
  if ("pod" in choice) return [await client.pods.get(choice.pod, { namespace, signal, deadlineMs })];
  const found: Pod[] = [];
  const { labelSelector } = choice;
  for await (const pod of client.pods.list({ namespace, labelSelector, signal, deadlineMs })) found.push(pod);
  return found;
}

/** One Pod for a command that is about one: of several one that is ready, else one that runs. @throws IkadaError NotFound */
export async function onePod(session: Session, word: string): Promise<string> {
  const choice = await choosePods(session, word);
  if ("pod" in choice) return choice.pod;
  const found = await listPods(session, choice);
  const best = found.sort((left, right) => rank(left) - rank(right))[0];
  if (!best) throw new IkadaError("NotFound", `${choice.what} has no Pods`);
  return best.metadata.name;
}

function rank({ metadata, status }: Pod): number {
  if (metadata.deletionTimestamp !== undefined) return 3;
  if (status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True")) return 0;
  return status?.phase === "Running" ? 1 : 2;
}
