// A byte source: the one thing every reader of model files is given. Where the bytes come from is not its business.

export interface ByteSource {
  /** Name for messages, as the user would write it: `model.safetensors`. */
  readonly name: string;
  readonly byteLength: number;
  /**
   * Bytes `[start, end)`. Always exactly `end - start` bytes: a source that cannot give them throws.
   * @throws ModelError `weights_invalid` when the range is outside the source or the bytes went away
   */
  slice(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The files of one model, wherever they are. Names are relative, `/`-separated, and never leave the model. */
export interface ModelFiles {
  /** What the user wrote: a folder, later `org/name@revision`. */
  readonly id: string;
  /** Commit of the files, where there is one; a local folder has none. */
  readonly revision: string | null;
  /** The file of weights that the user named, where it was a file and not a model: `model-Q4_K_M.gguf`. */
  readonly main?: string;
  list(): Promise<readonly string[]>;
  /** Opens a file; `null` when the model has no file of that name. */
  open(name: string): Promise<ByteSource | null>;
}
