/**
 * What `warmboot completion SHELL` prints. Each asks `warmboot __complete WORD…` for the words that fit: one a line, what it
 * is behind a tab, or `:files` for names of files. The launcher looks for nothing and sets nothing up meanwhile.
 */
const BASH = `# In ~/.bashrc: source <(warmboot completion bash)
_warmboot() {
  local line=\${COMP_LINE:0:COMP_POINT} typed head reply
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  typed=\${words[-1]}
  # Bash takes the text after : and = for a word of its own, and a MAC has five of them.
  head=\${typed%"\${typed##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r reply; do
    if [[ $reply == :files ]]; then
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$typed")
    else
      reply=\${reply%%$'\\t'*}
      COMPREPLY+=("\${reply#"$head"}")
    fi
  done < <(WARMBOOT_SETUP=skip "\${words[0]/#\\~/$HOME}" __complete "\${words[@]:1}" 2>/dev/null)
}
complete -o nosort -F _warmboot warmboot
`;

const ZSH = `#compdef warmboot
# In ~/.zshrc, after compinit: source <(warmboot completion zsh)
_warmboot() {
  local reply
  local -a texts shown
  for reply in "\${(@f)$(WARMBOOT_SETUP=skip "\${(Q)words[1]/#\\~/$HOME}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $reply == :files ]]; then
      _files
      return
    fi
    [[ -n $reply ]] || continue
    texts+=("\${reply%%$'\\t'*}")
    shown+=("\${reply/$'\\t'/  -- }")
  done
  compadd -l -d shown -a texts
}
compdef _warmboot warmboot
`;

const FISH = `# In ~/.config/fish/completions/warmboot.fish: warmboot completion fish | source
function __warmboot_complete
  set -l words (commandline -opc)
  set -l typed (commandline -ct)
  set -l replies (env WARMBOOT_SETUP=skip $words[1] __complete $words[2..-1] "$typed" 2>/dev/null)
  if contains -- :files $replies
    __fish_complete_path "$typed"
  else if set -q replies[1]
    printf '%s\\n' $replies
  end
end
complete -c warmboot -f -a '(__warmboot_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
