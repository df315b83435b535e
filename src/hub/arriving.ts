// Files of a download that is still under way, for a thread that reads them where it needs them. The download is download.ts's.

import { ModelError } from '../errors.js';
import { printable } from './names.js';
import type { ByteSource, ModelFiles } from './source.js';

/** A file that will stand in the model's folder. */
export interface ArrivingFile {
  readonly name: string;
  readonly byteLength: number;
  /** Its first bytes, in which its tensors are listed: known before it is here, but nothing vouches for them until it is. */
  readonly head: Uint8Array;
}

export type FileQuestion = { readonly kind: 'await_file'; readonly file: string };

/** Failure travels as data: an error that crosses threads loses its class. */
export type FileReply = { readonly arrived: true } | { readonly refused: Pick<ModelError, 'code' | 'message'> };

/**
 * The folder's files, those that are on their way among them: a read within the head is answered at once, any other waits until the whole
 * file stands verified in the folder, and fails as its download does.
 * @param ask whether the file has arrived; the answer may take as long as the download
 */
export function arrivingFiles(
  folder: ModelFiles,
  arriving: readonly ArrivingFile[],
  ask: (question: FileQuestion) => Promise<FileReply>,
): ModelFiles {
  const expected = new Map(arriving.map((file) => [file.name, file]));
  const arrived = async (name: string): Promise<void> => {
    const reply = await ask({ kind: 'await_file', file: name });
    if ('refused' in reply) throw new ModelError(reply.refused.code, reply.refused.message);
  };
  return {
    ...folder,
    async open(name) {
      const file = expected.get(name);
      return file === undefined ? folder.open(name) : arrivingFile(file, folder, arrived);
    },
  };
}

function arrivingFile({ name, byteLength, head }: ArrivingFile, folder: ModelFiles, arrived: (name: string) => Promise<void>): ByteSource {
  const shown = printable(name);
  let whole: Promise<ByteSource> | null = null;
  let closed = false;
  const open = async (): Promise<ByteSource> => {
    await arrived(name);
    const source = await folder.open(name);
    if (source === null) throw new ModelError('weights_invalid', `${shown}: the file went away after its download. Run again.`);
    // Nobody waits for a file any more that arrives after its checkpoint was closed.
    if (closed || !(await beginsWith(source, byteLength, head))) {
      await source.close();
      throw new ModelError(
        'integrity',
        `${shown}: the server gave other first bytes (${head.byteLength}) or another length by range than in the whole, verified file. Run again.`,
      );
    }
    return source;
  };
  return {
    name: shown,
    byteLength,
    async slice(start, end) {
      if (start >= 0 && start <= end && end <= head.byteLength) return head.slice(start, end);
      return (await (whole ??= open())).slice(start, end);
    },
    close: () => {
      closed = true;
      // Not waited for: that would be the rest of the download.
      void whole?.then((source) => source.close()).catch(() => undefined);
      return Promise.resolve();
    },
  };
}

async function beginsWith(source: ByteSource, byteLength: number, head: Uint8Array): Promise<boolean> {
  if (source.byteLength !== byteLength || head.byteLength > byteLength) return false;
  return Buffer.compare(await source.slice(0, head.byteLength), head) === 0;
}
