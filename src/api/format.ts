/**
 * Syntaxes of strings by name, as in Kubernetes' apimachinery validation
 * (kubernetes.io/docs/concepts/overview/working-with-objects/names). Each gives undefined, or what is wrong.
 */
export const formats = {
  /** RFC 1123 label: a Namespace's or container's name. */
  dnsLabel: (text) =>
    text.length > 63
      ? "must be no more than 63 characters"
      : /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)
        ? undefined
        : "must consist of lower case letters, digits and '-', and start and end with a letter or digit",
  /** RFC 1123 subdomain: most objects' names. */
  dnsSubdomain,
  /** A port's name (IANA service name). */
  portName: (text) => {
    if (text.length > 15) return "must be no more than 15 characters";
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) || text.includes("--"))
      return "must consist of lower case letters, digits and single '-', and start and end with a letter or digit";
    return /[a-z]/.test(text) ? undefined : "must contain at least one letter";
  },
  /** Key of a label, taint or finalizer: an optional `prefix/` and a name. */
  qualifiedName,
  /** As a label's key, but its prefix may have capitals. */
  annotationKey: (text) => qualifiedName(text.toLowerCase()),
  labelValue: (text) => {
    if (text.length > 63) return "must be no more than 63 characters";
    return /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(text)
      ? undefined
      : "must be empty or consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit";
  },
  /** Key in the data of a ConfigMap or Secret. */
  dataKey: (text) => {
    if (text.length > 253) return "must be no more than 253 characters";
    if (text === "." || text.startsWith("..")) return "must not be '.' or start with '..'";
    return /^[-._a-zA-Z0-9]+$/.test(text) ? undefined : "must consist of letters, digits, '-', '_' and '.'";
  },
  /** Name of an environment variable: printable ASCII without `=` (Kubernetes 1.32 and later). */
  envName: (text) =>
    /^[ -<>-~]+$/.test(text) ? undefined : "must consist of printable ASCII characters other than '='",
  /** Name of a resource that is counted: cpu, memory, example.com/gpu. */
  resourceName: qualifiedName,
  ipAddress: (text) => (isIpv4(text) || isIpv6(text) ? undefined : "must be an IPv4 or IPv6 address"),
  cidr: (text) => {
    const [address = "", bits = "", ...rest] = text.split("/");
    const width = isIpv4(address) ? 32 : isIpv6(address) ? 128 : 0;
    return rest.length === 0 && width > 0 && /^(0|[1-9]\d*)$/.test(bits) && Number(bits) <= width
      ? undefined
      : "must be an address range such as 10.1.0.0/24";
  },
  absolutePath: (text) => (text.startsWith("/") ? undefined : "must be an absolute path"),
} as const satisfies Record<string, (text: string) => string | undefined>;

export type StringFormat = keyof typeof formats;

function dnsSubdomain(text: string): string | undefined {
  if (text.length > 253) return "must be no more than 253 characters";
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)
    ? undefined
    : "must consist of lower case letters, digits, '-' and '.', and start and end with a letter or digit";
}

function qualifiedName(text: string): string | undefined {
  const slash = text.indexOf("/");
  const name = text.slice(slash + 1);
  if (slash >= 0) {
    const fault = slash === 0 ? "must not be empty" : dnsSubdomain(text.slice(0, slash));
    if (fault !== undefined) return `prefix part ${fault}`;
  }
  if (name.length > 63) return "name part must be no more than 63 characters";
  return /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(name)
    ? undefined
    : "name part must consist of letters, digits, '-', '_' and '.', and start and end with a letter or digit";
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  if (!/^[0-9a-fA-F:.]+$/.test(text) || !text.includes(":")) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  const embedded = last !== undefined && last.includes(".");
  if (embedded && !isIpv4(last)) return false;
  const plain = embedded ? groups.slice(0, -1) : groups;
  if (!plain.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = plain.length + (embedded ? 2 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}
