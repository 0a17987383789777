import { Option } from 'commander'

/** `--queue`, or the variable GEOGAP_QUEUE, which keeps a password off the list of processes. */
export const queueOption = (mandatory = true): Option =>
  new Option('--queue <url>', 'redis://user:password@host:port of Redis or Valkey')
    .env('GEOGAP_QUEUE')
    .makeOptionMandatory(mandatory)
