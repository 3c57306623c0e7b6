import { formatQuantity, parseQuantity, unitsOf } from "../../../src/api/quantity.js";
import { IkadaError } from "../../../src/base/errors.js";
import { signals, type Signal } from "./signals.js";

/** A part of the capacity, 0 to 1, or a number of bytes or things. */
export type Amount = { readonly share: number } | { readonly units: number };

/** Met while less is available. */
export interface Threshold {
  readonly signal: Signal;
  readonly amount: Amount;
  /** Pods go when it was met for so long; 0: at once, and without a grace of their own (a hard threshold). */
  readonly graceMs: number;
  /** Once met, it is met until so much more than the threshold is available. */
  readonly reclaim: Amount;
}

/** By signal, as an operator writes it: `100Mi`, `10%`. `0%` and `100%` switch a threshold off, as in Kubernetes. */
export type Amounts = Readonly<Record<string, string>>;

/** Kubernetes' defaults on Linux. There is none for pid.available. */
export const hardDefaults: Amounts = {
  "memory.available": "100Mi",
  "nodefs.available": "10%",
  "nodefs.inodesFree": "5%",
  "imagefs.available": "15%",
  "imagefs.inodesFree": "5%",
};

export interface ThresholdTexts {
  readonly hard: Amounts;
  readonly soft: Amounts;
  /** Of each soft threshold, in seconds. */
  readonly softGraceSeconds: Readonly<Record<string, number>>;
  readonly minimumReclaim: Amounts;
}

/** @throws IkadaError Invalid with the place below `field` */
export function parseThresholds(texts: ThresholdTexts, field: string): readonly Threshold[] {
  const reclaims = new Map(
    Object.entries(texts.minimumReclaim).map(([signal, text]) => {
      const at = `${field}.minimumReclaim.${signal}`;
      return [known(signal, at), parseAmount(text, at)] as const;
    }),
  );
  const thresholdOf = (signal: string, text: string, at: string, graceMs: number): readonly Threshold[] => {
    const amount = parseAmount(text, at);
    if ("share" in amount && (amount.share === 0 || amount.share === 1)) return [];
    return [{ signal: known(signal, at), amount, graceMs, reclaim: reclaims.get(signal as Signal) ?? { units: 0 } }];
  };
  const hard = Object.entries(texts.hard).flatMap(([signal, text]) =>
    thresholdOf(signal, text, `${field}.hard.${signal}`, 0),
  );
  const soft = Object.entries(texts.soft).flatMap(([signal, text]) => {
    const seconds = texts.softGraceSeconds[signal];
    if (seconds !== undefined) return thresholdOf(signal, text, `${field}.soft.${signal}`, seconds * 1000);
    throw new IkadaError("Invalid", `${field}.softGraceSeconds.${signal}: a soft threshold needs its grace period`);
  });
  for (const signal of Object.keys(texts.softGraceSeconds))
    if (texts.soft[signal] === undefined)
      throw new IkadaError("Invalid", `${field}.softGraceSeconds.${signal}: there is no soft threshold of that name`);
  return [...hard, ...soft];
}

/** In bytes or things. */
export function unitsIn(amount: Amount, capacity: number): number {
  return "share" in amount ? Math.floor(capacity * amount.share) : amount.units;
}

/** As Kubernetes writes such a number: bytes by powers of 1024 where they fit, counts by those of 1000. */
export function formatUnits(units: number, signal: Signal): string {
  const isCount = signal.endsWith("inodesFree") || signal === "pid.available";
  return isCount ? formatCount(units) : formatBytes(units);
}

export function formatBytes(bytes: number): string {
  return formatQuantity({ nanos: BigInt(Math.trunc(bytes)) * 10n ** 9n, family: "binary" });
}

function formatCount(count: number): string {
  return formatQuantity({ nanos: BigInt(Math.trunc(count)) * 10n ** 9n, family: "decimal" });
}

function known(signal: string, at: string): Signal {
  const found = signals.find((one) => one === signal);
  if (found !== undefined) return found;
  throw new IkadaError("Invalid", `${at}: there is no signal of that name; known are ${signals.join(", ")}`);
}

function parseAmount(text: string, at: string): Amount {
  const percent = /^(\d{1,3}(?:\.\d{1,6})?)%$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { share: Number(percent) / 100 };
  const quantity = parseQuantity(text);
  if (percent === undefined && quantity !== undefined && quantity.nanos >= 0n) return { units: unitsOf(text) };
  throw new IkadaError("Invalid", `${at}: "${text}" is neither a quantity as 100Mi nor a percentage as 10%`);
}
