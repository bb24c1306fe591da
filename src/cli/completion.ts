/** Scripts that complete commands and flags, made from the tree of commands. They ask nothing of daybook at the keyboard. */

import type { Command, Option } from "commander";

export type Shell = "bash" | "zsh" | "fish";

/** One command: its words without `daybook`, what may follow, and its flags with those of all commands. */
interface Node {
  readonly words: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly Option[];
  /** Words that the first argument may be. */
  readonly choices: readonly string[];
}

export function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program);
  switch (shell) {
    case "bash":
      return bashScript(nodes);
    case "zsh":
      return zshScript(nodes);
    case "fish":
      return fishScript(nodes);
    default:
      return shell satisfies never;
  }
}

function nodesOf(program: Command): Node[] {
  const everywhere = program.options.filter(({ long }) => long !== "--version");
  const walk = (command: Command, words: readonly string[]): Node[] => {
    const commands = command.createHelp().visibleCommands(command);
    const own = command === program ? [] : command.options;
    const help = command
      .createHelp()
      .visibleOptions(command)
      .filter(({ long }) => long === "--help");
    return [
      {
        words: words.join(" "),
        commands: commands.map((one) => ({ name: one.name(), summary: one.summary() || one.description() })),
        options: [...own, ...everywhere, ...help],
        choices: command.registeredArguments[0]?.argChoices ?? [],
      },
      ...commands.filter((one) => one.name() !== "help").flatMap((one) => walk(one, [...words, one.name()])),
    ];
  };
  return walk(program, []);
}

/** Flags whose value is a file or a folder. */
function isFile({ long }: Option): boolean {
  return ["--filename", "--data", "--rejects"].includes(long ?? "");
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function spellings({ long, short }: Option): string[] {
  return [short, long].filter((one): one is string => one !== undefined && one !== null);
}

/** Single quotes, as a shell reads them. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Every flag that takes a value, of any command: the word after it is no command. */
function valueFlags(nodes: readonly Node[]): string {
  const flags = nodes.flatMap(({ options }) => options.filter(takesValue).flatMap(spellings));
  return [...new Set(flags)].join("|");
}

function bashScript(nodes: readonly Node[]): string {
  const steps = nodes
    .filter(({ words }) => words !== "")
    .map(({ words }) => `      ${quote(words)}) at=${quote(words)} ;;`);
  const offers = nodes.map(({ words, commands, options, choices }) => {
    const all = [...commands.map(({ name }) => name), ...choices, ...options.flatMap(({ long }) => long ?? [])];
    return `    ${quote(words)}) offers=${quote(all.join(" "))} ;;`;
  });
  const values = nodes.flatMap(({ words, options }) =>
    options.filter(takesValue).map((option) => {
      const patterns = spellings(option).map((flag) => quote(`${words}:${flag}`));
      if (isFile(option)) return `    ${patterns.join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`;
      return `    ${patterns.join("|")}) COMPREPLY=($(compgen -W ${quote((option.argChoices ?? []).join(" "))} -- "$cur")); return ;;`;
    }),
  );
  return `# bash completion for daybook; made by \`daybook completion bash\`
_daybook() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at= offers= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in ${valueFlags(nodes)}) ((i++)); continue ;; esac
    case "\${at:+$at }\${COMP_WORDS[i]}" in
${steps.join("\n")}
    esac
  done
  case "$at:$prev" in
${values.join("\n")}
  esac
  case "$at" in
${offers.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$offers" -- "$cur"))
}
complete -o filenames -F _daybook daybook
`;
}

function zshScript(nodes: readonly Node[]): string {
  const steps = nodes
    .filter(({ words }) => words !== "")
    .map(({ words }) => `      ${quote(words)}) at=${quote(words)} ;;`);
  const described = (name: string, text: string): string => quote(`${name.replaceAll(":", "\\:")}:${text}`);
  const offers = nodes.map(({ words, commands, options, choices }) => {
    const all = [
      ...commands.map(({ name, summary }) => described(name, summary)),
      ...choices.map((choice) => described(choice, "")),
      ...options.map((option) => described(option.long ?? "", option.description)),
    ];
    return `    ${quote(words)}) offers=(${all.join(" ")}) ;;`;
  });
  const values = nodes.flatMap(({ words, options }) =>
    options.filter(takesValue).map((option) => {
      const patterns = spellings(option).map((flag) => quote(`${words}:${flag}`));
      if (isFile(option)) return `    ${patterns.join("|")}) _files; return ;;`;
      return `    ${patterns.join("|")}) compadd -- ${(option.argChoices ?? []).map(quote).join(" ")}; return ;;`;
    }),
  );
  return `#compdef daybook
# zsh completion for daybook; made by \`daybook completion zsh\`
_daybook() {
  local at= i
  local -a offers
  for ((i = 2; i < CURRENT; i++)); do
    case "\${words[i]}" in ${valueFlags(nodes)}) ((i++)); continue ;; esac
    case "\${at:+$at }\${words[i]}" in
${steps.join("\n")}
    esac
  done
  case "$at:\${words[CURRENT - 1]}" in
${values.join("\n")}
  esac
  case "$at" in
${offers.join("\n")}
  esac
  _describe daybook offers
}
if [ "\${funcstack[1]}" = _daybook ]; then _daybook "$@"; else compdef _daybook daybook; fi
`;
}

function fishScript(nodes: readonly Node[]): string {
  const known = nodes
    .filter(({ words }) => words !== "")
    .map(({ words }) => `      case ${quote(words)}\n        set at ${quote(words)}`);
  const lines = nodes.flatMap(({ words, commands, options, choices }) => {
    const here = `complete -c daybook -n ${quote(`__daybook_at ${quote(words)}`)}`;
    return [
      ...commands.map(({ name, summary }) => `${here} -f -a ${quote(name)} -d ${quote(summary)}`),
      ...choices.map((choice) => `${here} -f -a ${quote(choice)}`),
      ...options.map((option) => {
        const short = option.short ? ` -s ${option.short.slice(1)}` : "";
        const value = isFile(option) ? " -r -F" : takesValue(option) ? " -x" : "";
        const offered = option.argChoices ? ` -a ${quote(option.argChoices.join(" "))}` : "";
        return `${here}${short} -l ${(option.long ?? "").slice(2)}${value}${offered} -d ${quote(option.description)}`;
      }),
    ];
  });
  return `# fish completion for daybook; made by \`daybook completion fish\`
function __daybook_at
  set -l at ''
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    if contains -- $word ${valueFlags(nodes).replaceAll("|", " ")}
      set skip 1
      continue
    end
    switch (string trim -- "$at $word")
${known.join("\n")}
    end
  end
  test "$at" = "$argv[1]"
end
complete -c daybook -f
${lines.join("\n")}
`;
}
