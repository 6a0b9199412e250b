/** One step of a hash that another thread makes; `id` tells the hashes that are under way apart. */
export type HashStep =
  | { readonly id: number; readonly step: 'begin'; readonly algorithm: string }
  | { readonly id: number; readonly step: 'update'; readonly bytes: Uint8Array }
  | { readonly id: number; readonly step: 'end' | 'drop' };

/** Each `update` and each `end` is answered, in the order in which they came; an `end` with the hash. */
export interface HashAnswer {
  readonly hex?: string;
}

/**
 * What the thread runs. It starts from this function's own text: then it needs no file beside the program, wherever
 * and however that was bundled. So it uses nothing from outside itself, and types only of what is imported.
 */
export function hashWorker(): void {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const { createHash } = process.getBuiltinModule('node:crypto');
  const hashes = new Map<number, ReturnType<typeof createHash>>();
  parentPort?.on('message', (message: HashStep) => {
    const { id } = message;
    switch (message.step) {
      case 'begin':
        hashes.set(id, createHash(message.algorithm));
        return;
      case 'drop':
        hashes.delete(id);
        return;
      case 'update':
        hashes.get(id)?.update(message.bytes);
        parentPort.postMessage({} satisfies HashAnswer);
        return;
      case 'end':
        parentPort.postMessage({ hex: hashes.get(id)?.digest('hex') ?? '' } satisfies HashAnswer);
        hashes.delete(id);
    }
  });
}
