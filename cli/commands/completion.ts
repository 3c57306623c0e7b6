import { Argument, type Command } from "commander";
import { kinds } from "../../src/api/registry.js";

/** `ikada completion bash | zsh`: commands, kinds and flags for the shell. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes commands: source <(ikada completion bash)")
    .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh"]))
    .action((shell: string) => {
      const commands = program.commands.map((command) => command.name());
      const names = kinds.flatMap(({ plural, singular, shortNames }) => [plural, singular].concat(shortNames));
      const flags = program.commands.map((command) => {
        const subcommands = command.commands.map((child) => child.name());
        const options = [...command.options, ...program.options]
          .flatMap((option) => (option.hidden ? [] : [option.long, option.short]))
          .filter((flag) => flag !== undefined && flag !== null);
        return `    ${command.name()}) words="${[...new Set([...subcommands, ...options])].join(" ")}" ;;`;
      });
      const script = [
        "_ikada() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" command="" words="" index',
        "  for ((index = 1; index < COMP_CWORD; index++)); do",
        '    case "${COMP_WORDS[index]}" in',
        // Flags that stand before the command, with the word that is their value.
        "      -n|--namespace|--config|--context|--request-timeout) ((index++)) ;;",
        "      -*) ;;",
        '      *) command="${COMP_WORDS[index]}"; break ;;',
        "    esac",
        "  done",
        '  case "$command" in',
        `    "") words="${commands.join(" ")}" ;;`,
        ...flags,
        "  esac",
        `  case "$command" in get|describe|delete|scale|logs) words="$words ${names.join(" ")}" ;; esac`,
        '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
        "}",
        "complete -o default -F _ikada ikada",
      ];
      if (shell === "zsh") script.unshift("autoload -U +X bashcompinit && bashcompinit");
      process.stdout.write(`${script.join("\n")}\n`);
    });
}
