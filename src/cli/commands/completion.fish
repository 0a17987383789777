function __geogap
  set -l words (commandline -opc) (commandline -ct)
  geogap completion words -- $words[2..] 2>/dev/null
end
complete -c geogap -a '(__geogap)'
