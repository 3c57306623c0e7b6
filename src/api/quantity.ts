/**
 * Kubernetes' Quantity: a fixed-point number with at most nine decimals, and the family of suffixes it was
 * written in (kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity). Never a double.
 */
export interface Quantity {
  /** The number times 10^9. */
  readonly nanos: bigint;
  readonly family: "decimal" | "binary" | "exponent";
}

/** undefined when it is none. Digits beyond nano are rounded away from zero; magnitudes beyond 2^63-1 are cut to that. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = text.length <= lengthMax ? syntax.exec(text) : null;
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", suffix = ""] = match;
  if (whole === "" && fraction === "") return undefined;
  const digits = BigInt(whole + fraction);
  const { family, powerOfTen, factor } = scaleOf(suffix);
  const power = powerOfTen - fraction.length + nanoDigits;
  const magnitude = cut(
    power > powerMax ? (digits === 0n ? 0n : nanosMax) : shift(digits * factor, Math.max(power, -powerMax)),
  );
  return { nanos: sign === "-" ? -magnitude : magnitude, family };
}

/** The one way to write a value: no decimals, the largest suffix of its family that fits. */
export function formatQuantity({ nanos, family }: Quantity): string {
  if (nanos === 0n) return "0";
  const whole = nanos / perUnit;
  if (family === "binary" && nanos % perUnit === 0n && (whole >= 1024n || whole <= -1024n)) {
    const { rest, times } = divide(whole, 1024n, 6);
    return `${rest}${binarySuffixes[times]}`;
  }
  const { rest, times } = divide(nanos, 1000n, 9);
  const exponent = times * 3 - nanoDigits;
  return family === "exponent" ? `${rest}${exponent === 0 ? "" : `e${exponent}`}` : `${rest}${decimalSuffixes[times]}`;
}

/** Canonical text, or undefined when it is no quantity. */
export function canonicalQuantity(text: string): string | undefined {
  const parsed = parseQuantity(text);
  return parsed === undefined ? undefined : formatQuantity(parsed);
}

/** Below, equal or above zero, as the first is less than, the same as or more than the second. Texts that are no quantity count as 0. */
export function compareQuantities(left: string, right: string): number {
  const difference = nanosOf(left) - nanosOf(right);
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
}

/** Thousandths, rounded up: the unit of cpu. A text that is no quantity counts as 0. */
export function milliOf(text: string): number {
  return Number(roundUp(nanosOf(text), 1_000_000n));
}

/** Whole units, rounded up: bytes of memory, counts. A text that is no quantity counts as 0. */
export function unitsOf(text: string): number {
  return Number(roundUp(nanosOf(text), perUnit));
}

const nanoDigits = 9;
const perUnit = 10n ** 9n;
const nanosMax = (2n ** 63n - 1n) * perUnit;
const lengthMax = 64;
/** Powers of ten beyond this are zero or too large, whatever the digits. */
const powerMax = 100;
const syntax = /^([+-]?)(\d*)(?:\.(\d*))?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,9})?$/;
const decimalSuffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"] as const;
const binarySuffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] as const;

function scaleOf(suffix: string): { family: Quantity["family"]; powerOfTen: number; factor: bigint } {
  const decimal = decimalSuffixes.findIndex((known) => known === suffix);
  if (decimal >= 0) return { family: "decimal", powerOfTen: decimal * 3 - nanoDigits, factor: 1n };
  const binary = binarySuffixes.findIndex((known) => known === suffix);
  if (binary >= 0) return { family: "binary", powerOfTen: 0, factor: 1024n ** BigInt(binary) };
  return { family: "exponent", powerOfTen: Number(suffix.slice(1)), factor: 1n };
}

/** value times 10^power, rounded up. */
function shift(value: bigint, power: number): bigint {
  return power >= 0 ? value * 10n ** BigInt(power) : roundUp(value, 10n ** BigInt(-power));
}

function roundUp(value: bigint, unit: bigint): bigint {
  const rest = value % unit;
  return rest > 0n ? value / unit + 1n : value / unit;
}

function cut(magnitude: bigint): bigint {
  return magnitude > nanosMax ? nanosMax : magnitude;
}

function divide(value: bigint, by: bigint, timesMax: number): { rest: bigint; times: number } {
  let rest = value;
  let times = 0;
  while (times < timesMax && rest % by === 0n) {
    rest /= by;
    times += 1;
  }
  return { rest, times };
}

function nanosOf(text: string): bigint {
  return parseQuantity(text)?.nanos ?? 0n;
}
