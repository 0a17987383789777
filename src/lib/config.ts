/** The value of a command option in a config file. */
export type ConfigValue = string | number | boolean | readonly (string | number)[]

/**
 * A config file's content: for each command (`evaluate`, `models describe`) its options by their long names, in
 * camel case or as on the command line. Words on the command line come first.
 */
export type ConfigFile = Readonly<Record<string, Readonly<Record<string, ConfigValue>>>>
