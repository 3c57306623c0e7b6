import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import { ConfigSection } from "../../src/host/config-file.js";
import {
  chosenName,
  contextFile,
  contextNamed,
  findContexts,
  loadContext,
  readContext,
  type Context,
} from "../config.js";
import { readWritten, writeContexts, type WrittenContext, type WrittenContexts } from "../context-file.js";
import { formatTable, formatYaml, harmless } from "../output.js";
import type { GlobalOptions } from "../session.js";

interface SetOptions extends GlobalOptions {
  readonly endpoint?: readonly string[];
  readonly caFile?: string;
  readonly tokenFile?: string;
  readonly tokenStdin?: boolean;
  readonly from?: string;
  readonly use?: boolean;
}

/** `ikada context list | use | show | set | delete` */
export function addContext(program: Command): void {
  const context = program.command("context").description("the clusters you work with, and which one commands go to");

  context
    .command("list")
    .description("the clusters; * is the one that commands go to")
    .option("--no-headers", "no column names")
    .action(({ headers }: { headers: boolean }, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const contexts = findContexts(options, process.env);
      const { byName } = contexts;
      const chosen = chosenName(contexts, options, process.env);
      const rows = [...byName].map(([name, { read, file }]) => {
        const { endpoints, namespace } = shown(read);
        return [name === chosen ? "*" : "", name, endpoints, namespace, file].map(harmless);
      });
      const titles = headers ? [["CURRENT", "NAME", "ENDPOINTS", "NAMESPACE", "FILE"]] : [];
      if (rows.length === 0) process.stderr.write("No contexts; 'ikada context set NAME' makes one.\n");
      else process.stdout.write(formatTable([...titles, ...rows]));
    });

  context
    .command("use")
    .description("from now on commands go to this cluster")
    .argument("<name>", "a name of `context list`")
    .action((name: string, _options: object, command: Command) => {
      const contexts = findContexts(command.optsWithGlobals<GlobalOptions>(), process.env);
      contextNamed(contexts, name).read();
      writeContexts(contexts.file, { ...readWritten(contexts.file), current: name });
      process.stdout.write(`Commands go to "${name}" now.\n`);
    });

  context
    .command("show")
    .description("one cluster's settings, without the token")
    .argument("[name]", "a name of `context list`; the one in use otherwise")
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { token: _token, ...rest } = loadContext(
        name === undefined ? options : { ...options, context: name },
        process.env,
      );
      process.stdout.write(await formatYaml({ ...rest, token: "***" }));
    });

  context
    .command("set")
    .description("add a cluster, or change what is given of one")
    .argument("<name>", "what you call it")
    .option("--endpoint <host:port...>", "API addresses of its servers")
    .option("--ca-file <file>", "PEM of its authority")
    .option("--token-file <file>", "your token, in a file that is read each time")
    .option("--token-stdin", "your token, from standard input, kept in the context file")
    .option("--from <file>", "all of it from another context file, to be kept in this one")
    .option("--use", "and let commands go to it")
    .action((name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<SetOptions>();
      const file = contextFile(options, process.env);
      checkName(name);
      const written = readWritten(file);
      const before = Object.hasOwn(written.contexts, name) ? written.contexts[name] : undefined;
      const context = changed(before ?? {}, options);
      const next: WrittenContexts = {
        ...written,
        contexts: { ...written.contexts, [name]: context },
        ...(options.use === true ? { current: name } : {}),
      };
      check(name, file, context);
      writeContexts(file, next);
      process.stdout.write(`context "${name}" ${before ? "changed" : "added"} in ${file}\n`);
    });

  context
    .command("delete")
    .description("forget a cluster; the cluster itself is not touched")
    .argument("<name>", "a name of `context list`")
    .action((name: string, _options: object, command: Command) => {
      const contexts = findContexts(command.optsWithGlobals<GlobalOptions>(), process.env);
      const { file } = contextNamed(contexts, name);
      if (file !== contexts.file)
        throw new IkadaError("BadRequest", `"${name}" is the cluster of ${file}, no context of ${contexts.file}`, {
          hint: "'npm run down' ends it",
        });
      const { current, contexts: all } = readWritten(file);
      const { [name]: _gone, ...left } = all;
      writeContexts(file, { ...(current === undefined || current === name ? {} : { current }), contexts: left });
      process.stdout.write(`context "${name}" deleted\n`);
      if (current === name) process.stderr.write("It was in use: choose another one with 'ikada context use NAME'.\n");
    });
}

/** For a table: a context with a fault says so in its row. */
function shown(read: () => Context): { endpoints: string; namespace: string } {
  try {
    const { endpoints, namespace } = read();
    return { endpoints: endpoints.join(","), namespace };
  } catch (caught) {
    return { endpoints: `<${IkadaError.from(caught).message}>`, namespace: "" };
  }
}

function checkName(name: string): void {
  if (!/^[A-Za-z0-9][-A-Za-z0-9_.@]{0,62}$/.test(name))
    throw new IkadaError("Invalid", `"${name}" is no name for a context`, {
      hint: "up to 63 letters, digits, '-', '_', '.' and '@', with a letter or digit at the start",
    });
}

/** The context with what the flags say. */
function changed(before: WrittenContext, options: SetOptions): WrittenContext {
  if (options.tokenFile !== undefined && options.tokenStdin === true)
    throw new IkadaError("BadRequest", "give --token-file or --token-stdin, not both");
  const context = { ...before };
  if (options.from !== undefined) {
    const { endpoints, ca, token, namespace } = loadContext({ config: options.from }, {});
    Object.assign(context, { endpoints, ca, token, namespace });
    delete context.caFile;
    delete context.tokenFile;
  }
  if (options.endpoint) context.endpoints = options.endpoint;
  if (options.namespace !== undefined) context.namespace = options.namespace;
  if (options.caFile !== undefined) {
    context.caFile = resolve(options.caFile);
    delete context.ca;
  }
  if (options.tokenFile !== undefined) {
    context.tokenFile = resolve(options.tokenFile);
    delete context.token;
  }
  if (options.tokenStdin === true) {
    context.token = readFileSync(0, "utf8").trim();
    delete context.tokenFile;
  }
  return context;
}

/** Refused before it is written: what is not there, and files that can't be read. */
function check(name: string, file: string, context: WrittenContext): void {
  const missing = [
    ...(context.endpoints?.length ? [] : ["--endpoint"]),
    ...((context.ca ?? context.caFile) ? [] : ["--ca-file"]),
    ...((context.token ?? context.tokenFile) ? [] : ["--token-file or --token-stdin"]),
  ];
  if (missing.length > 0)
    throw new IkadaError("BadRequest", `context "${name}" is not complete: ${missing.join(", ")} missing`, {
      hint: "or take all from another context file with --from",
    });
  const section = ConfigSection.of(file, `contexts.${name}`, context);
  for (const endpoint of context.endpoints ?? []) ConfigSection.of(file, "", { endpoint }).address("endpoint");
  readContext(name, file, section);
}
