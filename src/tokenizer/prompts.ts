// The prompts that a model is run on when the user names none. What is done with them (cutting, encoding) lives elsewhere.

// English prose: Genesis 1, King James Version (1611, public domain). Every language model has seen it, the demo models were trained
// on it, so activations are those of a model at home. Its rhythm repeats, which exercises attention to earlier tokens.
const ENGLISH =
  'In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of ' +
  'the deep. And the Spirit of God moved upon the face of the waters. And God said, Let there be light: and there was light. And God ' +
  'saw the light, that it was good: and God divided the light from the darkness.';

// Code with numbers: brackets, indentation, digits and operators give other tokens, other norms and sharper distributions than prose;
// runs of spaces and digits are where tokenizers differ most.
const CODE = `def root_mean_square(values: list[float], eps: float = 1e-6) -> float:
    """Root of the mean of squares, e.g. [3.0, 4.0] -> 3.5355339."""
    total = 0.0
    for index, value in enumerate(values):
        total += value * value
        if index % 1024 == 0:
            print(f"{index:>6d}: {total:.8f}")
    return (total / max(len(values), 1) + eps) ** 0.5
`;

// Chinese, Arabic and Hindi in one: three scripts without Latin letters, one of them without spaces, one written from the right. Rare
// tokens and byte fallback reach embedding rows, and with them activations, that European text never touches.
const SCRIPTS =
  '清晨,河边的小镇刚刚醒来,面包师打开了店门,孩子们背着书包走过石桥。老人坐在树下读报,风把落叶吹到水面上,船慢慢地向远方的大海驶去。' +
  ' في المساء عاد الصيادون إلى الميناء ومعهم سلال مليئة بالسمك، وجلسوا قرب النار يروون حكايات البحر القديمة.' +
  ' सुबह होते ही किसान अपने खेतों की ओर चल पड़े, और पहाड़ों के पीछे से सूरज धीरे-धीरे निकल आया।';

// A European language: German, for its long compounds, umlauts and capitals, which fall into many short tokens in vocabularies made for English.
const GERMAN =
  'Als der Regen endlich nachließ, öffnete die Uhrmacherin das Fenster ihrer Werkstatt über dem Marktplatz. Drüben läutete die ' +
  'Kirchturmglocke, und zwischen den Pflastersteinen glänzten Pfützen wie kleine Spiegel. „Heute“, sagte sie leise, „stelle ich die ' +
  'Rathausuhr, die seit siebenundzwanzig Jahren fünf Minuten nachgeht.“ Ihr Lehrling lachte und griff nach der Werkzeugkiste.';

/** Four prompts of at least 64 tokens each in ordinary vocabularies, all of our own making or in the public domain. */
export function builtInPrompts(): readonly string[] {
  return [ENGLISH, CODE, SCRIPTS, GERMAN];
}

/** With a limit of 64: 64, 64, 61 and 50 tokens, 239 together. */
const SHORTER_BY = [0, 0, 3, 14];

/**
 * Tokens that a built-in prompt is cut to. They are not all the same, so that neither a prompt nor all of them together fill whole tiles of 16 or
 * 64 rows: a kernel that leaves out its tail would otherwise never be seen to.
 */
export function builtInLength(index: number, limit: number): number {
  return Math.max(1, limit - (SHORTER_BY[index] ?? 0));
}
