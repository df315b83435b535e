// The two kinds of error a user can act on. Anything else that is thrown is a defect of this program (exit code 3).

/** Wrong usage or configuration: the run does not start. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Why a model has the verdict it has; the `code` of a report's reason. Plain words, snake_case, stable. */
export type ReasonCode =
  | 'model_not_found'
  | 'access_denied'
  | 'hub_unreachable'
  | 'download_failed'
  | 'integrity'
  | 'refused_for_safety'
  | 'no_disk_space'
  | 'config_invalid'
  | 'unknown_model_type'
  | 'unsupported_config'
  | 'weights_invalid'
  | 'weights_mismatch'
  | 'unsupported_weights'
  | 'tensor_missing'
  | 'non_finite_weights'
  | 'serving_overflow'
  | 'tokenizer_invalid'
  | 'prompt_too_long'
  | 'input_ids_out_of_range'
  | 'static_incompatible'
  | 'static_warning'
  | 'static_compatible'
  | 'static_inconclusive'
  | 'standard_fail'
  | 'kernel_fail'
  | 'kernel_warn'
  | 'kernel_pass'
  | 'kernel_inconclusive'
  | 'canary_passed'
  | 'model_fail'
  | 'model_warn'
  | 'model_pass'
  | 'model_inconclusive'
  | 'generation_incoherent'
  | 'sensitive_checkpoint'
  | 'cancelled'
  | 'no_kernels'
  | 'no_gpu'
  | 'no_runtime'
  | 'shard_missing'
  | 'internal_error';

/** Something wrong with one model. The model becomes INCONCLUSIVE with this reason; the other models go on. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  constructor(
    readonly code: ReasonCode,
    message: string,
  ) {
    super(message);
  }
}

/** An error as data: one that crosses threads loses its class. */
export interface PlainError {
  /** Null: a defect of this program. */
  readonly code: ReasonCode | null;
  readonly message: string;
  readonly stack: string | null;
}

export function plainError(error: unknown): PlainError {
  return {
    code: error instanceof ModelError ? error.code : null,
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? (error.stack ?? null) : null,
  };
}

export function fromPlainError({ code, message, stack }: PlainError): Error {
  if (code !== null) return new ModelError(code, message);
  const error = new Error(message);
  if (stack !== null) error.stack = stack;
  return error;
}
