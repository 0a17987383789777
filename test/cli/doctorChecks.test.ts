import { createServer } from 'node:http'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EnvironmentCheck, diagnose, checkNode } from '../../src/cli/doctorChecks.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { availableDevices } from '../../src/models/runtime/installedDevices.ts'
import { devices } from '../../src/lib/onnx/engine.ts'
import { planJobs, type ModelTask } from '../../src/evaluate/jobs.ts'
import { runtimeVersion } from '../../src/lib/onnx/engine.ts'
import { geogap } from '../helpers/cli.ts'
import { listen, stop } from '../lib/hub/fakeHub.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-doctor-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const one = (checks: readonly EnvironmentCheck[], name: string): EnvironmentCheck =>
  checks.find(check => check.name === name)!
const settings = () => ({
  HF_HOME: join(folder, 'hf'),
  GEOGAP_CACHE: join(folder, 'own'),
  HF_HUB_OFFLINE: '1',
})

describe('doctor', () => {
  it('finds all that evaluation needs here, and says so line by line and as JSON', async () => {
    const env = { ...process.env, ...settings() }
    const [text, json] = await Promise.all([
      geogap(['doctor'], { env }),
      geogap(['doctor', '--json'], { env }),
    ])
    expect([text.code, json.code]).toEqual([0, 0])
    const checks = JSON.parse(json.stdout) as EnvironmentCheck[]
    for (const name of ['node', 'inference', 'images', 'database', 'fonts'])
      expect(one(checks, name)).toMatchObject({
        status: 'ok',
        found: expect.stringMatching(/\d|DejaVu/) as string,
      })
    for (const { name, status } of checks)
      expect(text.stdout).toMatch(new RegExp(`^${status} +${name} `, 'm'))
    expect(text.stdout).toMatch(
      /note +model hub +HF_HUB_OFFLINE is set.*\n +fix: unset HF_HUB_OFFLINE/,
    )
  })

  it('asks the hub that HF_ENDPOINT names, and survives one that is not there', async () => {
    const methods: string[] = []
    const server = createServer((request, response) => {
      methods.push(request.method!)
      response.writeHead(request.url === '/sick' ? 503 : 200).end()
    })
    const endpoint = await listen(server)
    const hubOf = async (HF_ENDPOINT: string) =>
      one(await diagnose({ ...settings(), HF_HUB_OFFLINE: '0', HF_ENDPOINT }), 'model hub')
    expect(await hubOf(endpoint)).toEqual({
      name: 'model hub',
      status: 'ok',
      found: `${endpoint} answers 200, no token`,
    })
    expect(await hubOf(`${endpoint}/sick`)).toMatchObject({
      status: 'note',
      found: `${endpoint}/sick answers 503, no token`,
    })
    expect(methods).toEqual(['HEAD', 'HEAD'])
    await stop(server)
    expect(await hubOf(endpoint)).toMatchObject({
      status: 'note',
      fix: expect.stringMatching(/HF_ENDPOINT/) as string,
    })
    expect(await hubOf('nonsense')).toMatchObject({
      found: expect.stringMatching(/not a web address/) as string,
    })
  })

  it('says how to fix a cache that cannot be written, and an old Node', async () => {
    const file = join(folder, 'file')
    await mkdir(file)
    await chmod(file, 0o500)
    const place = process.getuid?.() === 0 ? '/proc/geogap' : file
    expect(one(await diagnose({ ...settings(), GEOGAP_CACHE: place }), 'own cache')).toMatchObject({
      status: 'missing',
      fix: 'set GEOGAP_CACHE to a folder that can be written',
    })
    expect(checkNode('18.20.0')).toMatchObject({
      status: 'missing',
      fix: expect.stringMatching(/Node 20 or later/) as string,
    })
    expect(checkNode('20.0.0').status).toBe('ok')
  })
})

describe('--device', () => {
  it('is an error where the device is not, and names those that are', async () => {
    const here = await availableDevices()
    expect(here).toContain('cpu')
    for (const device of devices.filter(name => !here.includes(name))) {
      const asked = evaluate({ models: ['resnet50'], datasets: ['geode'], device })
      await expect(asked).rejects.toThrow(`no device ${device} here; there are ${here.join(', ')}`)
    }
    const { code, stderr } = await geogap([
      'evaluate',
      '--model',
      'resnet50',
      '--dataset',
      'geode',
      '--device',
      'tpu',
    ])
    expect([code, stderr.trim()]).toEqual([
      2,
      'geogap: --device takes cpu, cuda, coreml, not tpu [bad-option]',
    ])
  })

  it('reaches the workers, a few to share the device, and is part of the key', () => {
    const model = { name: 'm', architecture: 'resnet50', classes: 1000, files: [] }
    const task: ModelTask = {
      model,
      bytes: 1,
      multiplyAdds: 1,
      steps: [],
      missing: [{ start: 0, end: 1000 }],
    }
    const engine = { device: 'cuda', precision: 'fp16' } as const
    expect(planJobs([task], 'all', { cores: 16, ...engine })[0]).toMatchObject({
      processes: 4,
      group: engine,
    })
    expect(
      planJobs([{ ...task, bytes: 2e9 }], 'all', { cores: 16, memoryBytes: 1e10, ...engine })[0]!
        .processes,
    ).toBe(2)
    expect(planJobs([task], 'all', { cores: 4, device: 'cpu' })[0]!.group).not.toHaveProperty(
      'device',
    )
    expect(runtimeVersion({ device: 'cuda' })).toBe(`${runtimeVersion()} cuda`)
  })
})
