/**
 * Python's pickle format, read as data. A pickle is a program for a small stack machine, and Python's own reader
 * imports and calls what it names. This one has no import and no call: a name is looked up in a table that the caller
 * gives, of pure functions over data, and anything else is refused. Protocol 2 is what PyTorch writes; the opcodes of
 * 4 and 5 for the same data are known too, those of instances, classes and text are not.
 *
 * Memory is bounded before anything is made: lengths against the bytes that are left, opcodes, containers, stack and
 * marks against fixed limits. Nothing recurses, so depth costs nothing.
 *
 * Values: null, boolean, number, bigint, string, Uint8Array, arrays (list, tuple, set), Map (dict), and whatever the
 * caller's functions return.
 */

/** What a named function does with its arguments. */
export type Callable = (args: unknown[]) => unknown

export interface PickleHost {
  /** A function or other value for a name, or undefined where the name is not known. */
  findNamed: (module: string, name: string) => unknown
  /** What a persistent id stands for. */
  loadPersistent: (id: unknown) => unknown
}

/** A fault of the pickle; the message says which, and at which byte. */
export class PickleFault extends Error {}

const pickleLimits = {
  opcodes: 500_000,
  containers: 150_000,
  stack: 100_000,
  marks: 1_000,
  name: 256,
}

interface PickleMachine {
  bytes: Buffer
  at: number
  host: PickleHost
  stack: unknown[]
  marks: number[]
  memo: Map<number, unknown>
  objects: Set<unknown>
  containers: number
}

/**
 * Runs the pickle that begins at byte `from`.
 * @returns its value and the position behind it
 * @throws PickleFault
 */
export function unpickle(
  bytes: Buffer,
  from: number,
  host: PickleHost,
): { value: unknown; end: number } {
  const m: PickleMachine = {
    bytes,
    at: from,
    host,
    stack: [],
    marks: [],
    memo: new Map(),
    objects: new Set(),
    containers: 0,
  }
  for (let opcodes = 0; opcodes < pickleLimits.opcodes; opcodes++) {
    const opcode = take(m, 1)[0]!
    if (opcode === stopOpcode) return { value: pop(m), end: m.at }
    const step = opcodeHandlers.get(opcode)
    if (!step)
      throw fault(
        m,
        `opcode ${JSON.stringify(String.fromCharCode(opcode))} is not one that data needs`,
      )
    step(m)
    if (m.stack.length > pickleLimits.stack)
      throw fault(m, `more than ${pickleLimits.stack} values on the stack`)
  }
  throw fault(m, `more than ${pickleLimits.opcodes} opcodes`)
}

const fault = (m: PickleMachine, what: string): PickleFault =>
  new PickleFault(`${what} (pickle byte ${m.at})`)

function take(m: PickleMachine, length: number): Buffer {
  if (!(length <= m.bytes.length - m.at)) throw fault(m, 'the pickle ends too early')
  m.at += length
  return m.bytes.subarray(m.at - length, m.at)
}

function readLine(m: PickleMachine): string {
  const end = m.bytes.indexOf(10, m.at)
  if (end < 0 || end - m.at > pickleLimits.name) throw fault(m, 'a name without an end')
  return take(m, end + 1 - m.at)
    .toString('utf8')
    .slice(0, -1)
}

function pop(m: PickleMachine): unknown {
  const value = top(m)
  m.stack.pop()
  return value
}

function popToMark(m: PickleMachine): unknown[] {
  const mark = m.marks.pop()
  if (mark === undefined) throw fault(m, 'no mark on the stack')
  return m.stack.splice(mark)
}

function top(m: PickleMachine): unknown {
  if (m.stack.length <= (m.marks.at(-1) ?? 0)) throw fault(m, 'nothing on the stack')
  return m.stack.at(-1)
}

function topList(m: PickleMachine): unknown[] {
  const list = top(m)
  if (!Array.isArray(list)) throw fault(m, 'a value appended to what is not a list')
  return list
}

function topDict(m: PickleMachine): Map<unknown, unknown> {
  const dict = top(m)
  if (!(dict instanceof Map)) throw fault(m, 'an item set in what is not a dict')
  return dict
}

function setItems(m: PickleMachine, items: unknown[]): void {
  const dict = topDict(m)
  if (items.length % 2 !== 0) throw fault(m, 'a key without a value')
  for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1])
}

function countContainers(m: PickleMachine, more: number): void {
  m.containers += more
  if (m.containers > pickleLimits.containers)
    throw fault(m, `more than ${pickleLimits.containers} containers`)
}

function pushContainer(m: PickleMachine, container: unknown[] | Map<unknown, unknown>): void {
  countContainers(m, 1)
  m.stack.push(container)
}

function pushTuple(m: PickleMachine, length: number): void {
  const items: unknown[] = []
  for (let i = 0; i < length; i++) items.unshift(pop(m))
  pushContainer(m, items)
}

function pushMemo(m: PickleMachine, key: number): void {
  if (!m.memo.has(key)) throw fault(m, `nothing kept under number ${key}`)
  m.stack.push(m.memo.get(key))
}

function pushNamed(m: PickleMachine, module: string, name: string): void {
  const known = m.host.findNamed(module, name)
  if (known === undefined)
    throw fault(
      m,
      `it asks for ${JSON.stringify(`${module}.${name}`.slice(0, 120))}, which is not data; save the state dict alone`,
    )
  m.stack.push(known)
}

function stackGlobal(m: PickleMachine): void {
  const name = pop(m)
  const module = pop(m)
  if (typeof name !== 'string' || typeof module !== 'string')
    throw fault(m, 'a name that is not text')
  pushNamed(m, module, name)
}

function reduce(m: PickleMachine): void {
  const args = pop(m)
  const callable = pop(m)
  if (typeof callable !== 'function' || !Array.isArray(args))
    throw fault(m, 'a call of what is not a known name')
  // A dict is made of a list of pairs, and one list can be given to any number of calls.
  const [first] = args as unknown[]
  countContainers(m, Array.isArray(first) ? 1 + first.length : 1)
  pushFrom(m, () => (callable as Callable)(args))
}

/** Stands for the classes and functions of which only attributes are kept: an empty dict. */
export const plainObject: Callable = () => new Map()

function newObject(m: PickleMachine): void {
  pop(m)
  if (pop(m) !== plainObject) throw fault(m, 'opcode 0x81, a new object')
  const object = new Map()
  m.objects.add(object)
  pushContainer(m, object)
}

/** Pushes what the caller's function gives; its faults are told with the byte. */
function pushFrom(m: PickleMachine, make: () => unknown): void {
  try {
    m.stack.push(make())
  } catch (error) {
    throw error instanceof PickleFault ? fault(m, error.message) : error
  }
}

/** An object's attributes, its items here; those of dicts (`_metadata` of a state dict) are dropped. */
function build(m: PickleMachine): void {
  const attributes = pop(m)
  const object = topDict(m)
  if (m.objects.has(object) && attributes instanceof Map)
    for (const [name, value] of attributes) object.set(name, value)
}

function persistent(m: PickleMachine): void {
  const id = pop(m)
  pushFrom(m, () => m.host.loadPersistent(id))
}

function readLong(m: PickleMachine, length: number): number | bigint {
  const bytes = take(m, length)
  let value = 0n
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
  if (length > 0 && bytes[length - 1]! & 0x80) value -= 1n << BigInt(8 * length)
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

const readByte = (m: PickleMachine): number => take(m, 1)[0]!
const readUint16 = (m: PickleMachine): number => take(m, 2).readUInt16LE()
const readUint32 = (m: PickleMachine): number => take(m, 4).readUInt32LE()
const readUint64 = (m: PickleMachine): number => Number(take(m, 8).readBigUInt64LE())
const text = (length: (m: PickleMachine) => number) => (m: PickleMachine) =>
  m.stack.push(take(m, length(m)).toString('utf8'))
const latin = (length: (m: PickleMachine) => number) => (m: PickleMachine) =>
  m.stack.push(take(m, length(m)).toString('latin1'))
const raw = (length: (m: PickleMachine) => number) => (m: PickleMachine) =>
  m.stack.push(new Uint8Array(take(m, length(m))))
const put = (key: (m: PickleMachine) => number) => (m: PickleMachine) => m.memo.set(key(m), top(m))
const get = (key: (m: PickleMachine) => number) => (m: PickleMachine) => {
  pushMemo(m, key(m))
}
const push = (value: unknown) => (m: PickleMachine) => m.stack.push(value)

function mark(m: PickleMachine): void {
  if (m.marks.length === pickleLimits.marks)
    throw fault(m, `nested deeper than ${pickleLimits.marks}`)
  m.marks.push(m.stack.length)
}

function popOrMark(m: PickleMachine): void {
  if (m.marks.at(-1) === m.stack.length) m.marks.pop()
  else pop(m)
}

const stopOpcode = 0x2e

/** The opcodes by their code, as pickletools lists them. */
const opcodeHandlers = new Map<number, (m: PickleMachine) => unknown>([
  [0x80, m => readByte(m)], // PROTO
  [0x95, m => take(m, 8)], // FRAME
  [0x28, mark], // MARK
  [0x30, popOrMark], // POP
  [0x31, m => popToMark(m)], // POP_MARK
  [0x32, m => m.stack.push(top(m))], // DUP
  [0x4e, push(null)], // NONE
  [0x88, push(true)], // NEWTRUE
  [0x89, push(false)], // NEWFALSE
  [0x4a, m => m.stack.push(take(m, 4).readInt32LE())], // BININT
  [0x4b, m => m.stack.push(readByte(m))], // BININT1
  [0x4d, m => m.stack.push(readUint16(m))], // BININT2
  [0x8a, m => m.stack.push(readLong(m, readByte(m)))], // LONG1
  [0x47, m => m.stack.push(take(m, 8).readDoubleBE())], // BINFLOAT
  [0x58, text(readUint32)], // BINUNICODE
  [0x8c, text(readByte)], // SHORT_BINUNICODE
  [0x8d, text(readUint64)], // BINUNICODE8
  [0x54, latin(readUint32)], // BINSTRING
  [0x55, latin(readByte)], // SHORT_BINSTRING
  [0x42, raw(readUint32)], // BINBYTES
  [0x43, raw(readByte)], // SHORT_BINBYTES
  [0x8e, raw(readUint64)], // BINBYTES8
  [0x5d, m => pushContainer(m, [])], // EMPTY_LIST
  [0x61, m => append(m)], // APPEND
  [0x65, m => appends(m)], // APPENDS
  [0x6c, m => pushContainer(m, popToMark(m))], // LIST
  [0x29, m => pushContainer(m, [])], // EMPTY_TUPLE
  [0x85, m => pushTuple(m, 1)], // TUPLE1
  [0x86, m => pushTuple(m, 2)], // TUPLE2
  [0x87, m => pushTuple(m, 3)], // TUPLE3
  [0x74, m => pushContainer(m, popToMark(m))], // TUPLE
  [0x8f, m => pushContainer(m, [])], // EMPTY_SET
  [0x90, m => appends(m)], // ADDITEMS
  [0x91, m => pushContainer(m, popToMark(m))], // FROZENSET
  [0x7d, m => pushContainer(m, new Map())], // EMPTY_DICT
  [0x73, m => setItem(m)], // SETITEM
  [0x75, m => setItems(m, popToMark(m))], // SETITEMS
  [0x71, put(readByte)], // BINPUT
  [0x72, put(readUint32)], // LONG_BINPUT
  [0x94, m => m.memo.set(m.memo.size, top(m))], // MEMOIZE
  [0x68, get(readByte)], // BINGET
  [0x6a, get(readUint32)], // LONG_BINGET
  [0x63, m => pushNamed(m, readLine(m), readLine(m))], // GLOBAL
  [0x93, stackGlobal], // STACK_GLOBAL
  [0x52, reduce], // REDUCE
  [0x81, newObject], // NEWOBJ
  [0x62, build], // BUILD
  [0x51, persistent], // BINPERSID
])

function append(m: PickleMachine): void {
  const value = pop(m)
  topList(m).push(value)
}

function appends(m: PickleMachine): void {
  const values = popToMark(m)
  const list = topList(m)
  for (const value of values) list.push(value)
}

function setItem(m: PickleMachine): void {
  const value = pop(m)
  setItems(m, [pop(m), value])
}
