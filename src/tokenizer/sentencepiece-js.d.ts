// The part of @agnai/sentencepiece-js that is used here; the package brings no types. `processor` and `sentencepiece` are its own fields: they
// are the only way to its status and to loading from memory.

declare module '@agnai/sentencepiece-js' {
  interface Status {
    ToString(): string;
    delete(): void;
  }
  interface StringView {
    getView(): { delete(): void };
    delete(): void;
  }
  interface Processor {
    Load(path: { delete(): void }): Status;
    delete(): void;
  }
  export class SentencePieceProcessor {
    processor: Processor;
    sentencepiece: {
      FS: { writeFile(path: string, bytes: Uint8Array): void; unlink(path: string): void };
      StringView: new (text: string) => StringView;
      SentencePieceProcessor: new () => Processor;
    };
    load(path: string): Promise<void>;
    encodeIds(text: string): number[];
    decodeIds(ids: number[]): string;
  }
}
