import { Argument, type Command } from "commander";
import { kinds } from "../../src/api/registry.js";
import { outputNames } from "../output-format.js";

/** The commands whose words are kinds of objects. */
const aboutKinds = [
  "get",
  "describe",
  "delete",
  "scale",
  "logs",
  "label",
  "annotate",
  "edit",
  "patch",
  "wait",
  "explain",
];

/** `ikada completion bash | zsh`: commands, kinds, contexts, flags and their choices for the shell. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes commands: source <(ikada completion bash)")
    .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh"]))
    .action((shell: string) => {
      const commands = program.commands.map((command) => command.name());
      const grouped = program.commands.filter((command) => command.commands.length > 0);
      const names = kinds.flatMap(({ plural, singular, shortNames }) => [plural, singular].concat(shortNames));
      const every = program.commands.flatMap((command) =>
        [command, ...command.commands].map((one) => ({
          // As the script looks it up: a command with others below it has their name, or nothing, behind it.
          key:
            one !== command ? `${command.name()} ${one.name()}` : `${one.name()}${one.commands.length > 0 ? " " : ""}`,
          words: [...one.commands.map((child) => child.name()), ...flagsOf([...one.options, ...program.options])],
          choices: one.options.flatMap((option) => choicesOf(option)),
        })),
      );
      const script = [
        "_ikada() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command="" below="" words="" index',
        "  for ((index = 1; index < COMP_CWORD; index++)); do",
        '    case "${COMP_WORDS[index]}" in',
        // Flags that stand before the command, with the word that is their value.
        "      -n|--namespace|--config|--context|--request-timeout) ((index++)) ;;",
        "      -*) ;;",
        '      *) if [ -z "$command" ]; then command="${COMP_WORDS[index]}"; else below="${COMP_WORDS[index]}"; break; fi ;;',
        "    esac",
        "  done",
        `  case "$command" in ${grouped.map((command) => command.name()).join("|")}) command="$command $below" ;; esac`,
        '  case "$command" in',
        `    "") words="${commands.join(" ")}" ;;`,
        ...every.map(({ key, words }) => `    "${key}") words="${words.join(" ")}" ;;`),
        "  esac",
        `  case "$command" in ${aboutKinds.join("|")}) words="$words ${names.join(" ")}" ;; esac`,
        '  case "$command $before" in',
        '    *" --context"|"context use "*|"context show "*|"context delete "*)',
        `      words="$(ikada context list --no-headers 2>/dev/null | awk '{ print $1 == "*" ? $2 : $1 }')" ;;`,
        ...every.flatMap(({ key, choices }) =>
          choices.map(({ flag, values }) => `    "${key} ${flag}") words="${values.join(" ")}" ;;`),
        ),
        "  esac",
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -o default -F _ikada ikada",
      ];
      if (shell === "zsh") script.unshift("autoload -U +X bashcompinit && bashcompinit");
      process.stdout.write(`${script.join("\n")}\n`);
    });
}

type Option = Command["options"][number];

function flagsOf(options: readonly Option[]): string[] {
  const flags = options.flatMap((option) => (option.hidden ? [] : [option.long, option.short]));
  return [...new Set(flags.filter((flag) => flag !== undefined && flag !== null))];
}

/** What may stand behind a flag; not where its value is optional and has to be written with `=`. */
function choicesOf(option: Option): { flag: string; values: readonly string[] }[] {
  const values = option.argChoices ?? (option.long === "--output" ? outputNames : undefined);
  if (values === undefined || option.optional || option.hidden) return [];
  return flagsOf([option]).map((flag) => ({ flag, values }));
}
