_geogap() {
  local IFS=$'\n'
  COMPREPLY=($(geogap completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//:}
complete -o default -F _geogap geogap
