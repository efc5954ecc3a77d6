/**
 * Runs a command as the challenge's test program does: stdin, stdout and stderr are pipes, stdin is closed at once, and the
 * command is over when both outputs are at their end, whoever holds them. Bun's own "pipe" is a socket, which /dev/stdout
 * of a container cannot open.
 */
import { closeSync } from "node:fs";
import { O_CLOEXEC } from "../../src/linux/abi/fcntl.ts";
import { call } from "../../src/linux/call.ts";

export interface PipedOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Bytes for stdin before it is closed [none]; at most what a pipe holds, 64 KiB. */
  readonly stdin?: string;
  /** Until both outputs are at their end [30 s]; then the command alone gets SIGKILL, and the call throws. */
  readonly timeoutMs?: number;
}

export interface PipedResult {
  /** Null after a signal. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start until both outputs are at their end. */
  readonly durationMs: number;
}

/** Largest output that is kept, as in the challenge. */
const OUTPUT_SIZE_MAX = 1 << 20;
const TIMEOUT_MS = 30_000;

/** @throws {Error} when an output is not at its end in time, with what there was. */
export async function runPiped(command: readonly string[], options: PipedOptions = {}): Promise<PipedResult> {
  const [stdin, stdout, stderr] = [makePipe(), makePipe(), makePipe()];
  const started = performance.now();
  const child = Bun.spawn([...command], {
    stdio: [stdin.read, stdout.write, stderr.write],
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  for (const fd of [stdin.read, stdout.write, stderr.write]) closeSync(fd);
  if (options.stdin !== undefined) await Bun.write(Bun.file(stdin.write), options.stdin);
  closeSync(stdin.write);
  const outputs = [collect(stdout.read), collect(stderr.read)] as const;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const late = await isLate(Promise.all(outputs.map(({ ended }) => ended)), timeoutMs);
  const durationMs = performance.now() - started;
  if (late) {
    child.kill("SIGKILL");
    for (const output of outputs) output.stop();
    const seen = outputs.map(({ text }) => JSON.stringify(text()));
    throw new Error(`"${command.join(" ")}" has not ended after ${timeoutMs} ms: ${seen.join(", ")}`);
  }
  const exitCode = await child.exited;
  const [out, err] = outputs.map(({ text }) => text()) as [string, string];
  return {
    exitCode: child.signalCode === null ? exitCode : null,
    signal: child.signalCode === null ? null : String(child.signalCode),
    stdout: out,
    stderr: err,
    durationMs,
  };
}

function makePipe(): { readonly read: number; readonly write: number } {
  const fds = new Int32Array(2);
  call("pipe2", new Uint8Array(fds.buffer), O_CLOEXEC);
  return { read: fds[0] as number, write: fds[1] as number };
}

interface Output {
  readonly ended: Promise<void>;
  text(): string;
  /** Gives up reading. */
  stop(): void;
}

/** By polling, not by createReadStream(): that blocks a thread for each pipe, and who has few of them reads no other. */
function collect(fd: number): Output {
  const chunks: Buffer[] = [];
  const reader = Bun.file(fd).stream().getReader();
  const read = async (): Promise<void> => {
    let size = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (size < OUTPUT_SIZE_MAX) chunks.push(Buffer.from(part.value));
      size += part.value.length;
    }
    closeSync(fd);
  };
  return {
    ended: read(),
    text: () => Buffer.concat(chunks).subarray(0, OUTPUT_SIZE_MAX).toString(),
    stop: () => void reader.cancel(),
  };
}

async function isLate(ended: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), timeoutMs);
  const result = await Promise.race([late, ended.then(() => false)]);
  clearTimeout(timer);
  return result;
}
