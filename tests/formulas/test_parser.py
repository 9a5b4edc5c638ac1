"""The parser: what it accepts, and errors that name the position and the text at fault."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.errors import InputError
from eznas.evolution.config import EvolutionConfig
from eznas.formulas.parser import DEEPEST, LONGEST, MOST, parse, parse_any
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("params", "params"),
        ("  params\t*\n2 ", "params * 2.0"),
        ("params*2", "params * 2.0"),
        ("2", "2.0"),
        ("2.", "2.0"),
        (".5", "0.5"),
        ("2e3", "2000.0"),
        ("2.5E-3", "0.0025"),
        ("007", "7.0"),
        ("-2", "-2.0"),
        ("- 2", "neg(2.0)"),  # a minus belongs to a number only directly before it
        ("-(2)", "neg(2.0)"),
        ("--2", "neg(-2.0)"),
        ("1-2", "1.0 - 2.0"),
        ("1 - -2", "1.0 - -2.0"),
        ("1--2", "1.0 - -2.0"),
        ("1e-400", "0.0"),
        ("-params * 2", "-params * 2.0"),
        ("((params))", "params"),
        ("1 - 2 - 3", "1.0 - 2.0 - 3.0"),
        ("(1 - 2) - 3", "1.0 - 2.0 - 3.0"),
        ("1 - (2 - 3)", "1.0 - (2.0 - 3.0)"),
        ("1 / 2 * 3", "1.0 / 2.0 * 3.0"),
        ("1 + 2 * 3", "1.0 + 2.0 * 3.0"),
        ("add(1, sub(2, 3))", "1.0 + (2.0 - 3.0)"),
        ("min ( 1 , 2 )", "min(1.0, 2.0)"),
        ("sum_layers(mean(weight))", "sum_layers(mean(weight))"),
    ],
)
def test_parses(text, printed):
    assert parse_any(text).text == printed


@pytest.mark.parametrize("name", CATALOGUE)
def test_parses_every_statistic(name):
    expression = parse_any(name)
    assert (expression.text, expression.type) == (name, CATALOGUE[name].type)


LONG = "params + " * (LONGEST // 9) + "params + params"
FEATURES = "data_conv_output, data_conv_output"
SUM_OF_MEANS = "sum_layers(mean(data_conv_output))"

# What is wrong, the formula, the position from 1, the token at fault, and part of the message.
WRONG = [
    ("unknown statistic", "params + parms", 10, "parms", "did you mean 'params'?"),
    ("unknown primitive", "logg(params)", 1, "logg", "did you mean 'log'?"),
    (
        "a primitive of one's own, unregistered",
        "qqqqqq(params)",
        1,
        "qqqqqq",
        "`eznas guide extend`",
    ),
    ("unknown primitive, nothing near", "qqqqqq(params)", 1, "qqqqqq", "`eznas vocabulary` lists"),
    ("unknown name, nothing near", "  zzzzzz", 3, "zzzzzz", "`eznas vocabulary` lists"),
    ("statistic as a primitive", "params(2)", 1, "params", "unknown primitive"),
    ("primitive without arguments", "log + 2", 1, "log", "expected '('"),
    ("never closed", "(params", 8, "", "expected ')'"),
    ("never closed, a primitive", "log(params", 11, "", "expected ')'"),
    ("never opened", "params)", 7, ")", "expected the end"),
    ("closed twice", "log(params))", 12, ")", "expected the end"),
    ("missing comma", "min(params params)", 12, "params", "expected ')'"),
    ("comma too many", "min(params,)", 12, ")", "expected a number, a name or '('"),
    ("comma outside", "params, params", 7, ",", "expected the end"),
    ("no arguments", "log()", 5, ")", "expected a number, a name or '('"),
    ("too many arguments", "1 + log(params, params)", 5, "log", "takes 1 argument, not 2"),
    ("too few arguments", "min(params)", 1, "min", "takes 2 arguments, not 1"),
    ("missing operand", "params +", 9, "", "expected a number, a name or '('"),
    ("missing operand inside", "params * / 2", 10, "/", "expected a number, a name or '('"),
    ("missing operator", "params params", 8, "params", "expected the end"),
    ("plus as a sign", "+params", 1, "+", "expected a number, a name or '('"),
    ("empty", "", 1, "", "expected a number, a name or '('"),
    ("only spaces", "  \n ", 5, "", "expected a number, a name or '('"),
    ("empty brackets", "()", 2, ")", "expected a number, a name or '('"),
    ("number and name", "2params", 2, "params", "expected the end"),
    ("two points", "1.2.3", 4, ".3", "expected the end"),
    ("half an exponent", "1e+", 2, "e", "expected the end"),
    ("separated digits", "1_000", 2, "_000", "expected the end"),
    ("infinite constant", "params * 1e999", 10, "1e999", "must be finite"),
    ("infinite constant, negative", "params * -1e999", 11, "1e999", "must be finite"),
    ("not a name for a number", "params + inf", 10, "inf", "unknown name"),
    ("stray character", "params $ 2", 8, "$", "expected the end"),
    ("stray character, first", "#params", 1, "#", "expected a number, a name or '('"),
    ("power", "params ** 2", 9, "*", "expected a number, a name or '('"),
    ("attribute", "params.real", 7, ".", "expected the end"),
    ("string", "'params'", 1, "'", "expected a number, a name or '('"),
    ("letter beyond ASCII", "paráms", 1, "paráms", "did you mean 'params'?"),
    ("letter beyond ASCII, first", "λ", 1, "λ", "unknown name"),
    ("digit beyond ASCII", "params * ٣", 10, "٣", "unknown name"),
    ("minus beyond ASCII", "params \u2212 2", 8, "\u2212", "expected the end"),
    ("zero byte", "params\0", 7, "\0", "expected the end"),
    ("types that never meet", "weight + data_conv_output", 8, "+", "Weights, Features(raw)"),
    (
        "two types for one primitive",
        "hamming(weight, data_conv_output)",
        1,
        "hamming",
        "it takes Features or Weights or SampleMatrix or ChannelMatrix or Vector, all of one type",
    ),
    ("no such form", "gram(weight)", 1, "gram", "cannot take Weights; it takes Features"),
    ("constant without axes", "matmul(2, data_conv_output)", 1, "matmul", "cannot take Constant"),
    ("constant to reduce", "mean(2)", 1, "mean", "cannot take Constant"),
    ("layers and networks", "mean(weight) * params", 14, "*", "Scalar, NetScalar"),
    (
        "layers and activations",
        "mean(data_conv_output_gram) + mean(data_relu_agreement)",
        29,
        "+",
        "Scalar, Scalar(activations)",
    ),
    (
        "raw and sketch",
        "gram(data_conv_output) - data_relu_agreement",
        24,
        "-",
        "SampleMatrix(raw), SampleMatrix(activations, sketch)",
    ),
    ("aggregated twice", f"sum_layers({SUM_OF_MEANS})", 1, "sum_layers", "cannot take NetScalar"),
    ("too deep, brackets", "(" * 5000 + "params", DEEPEST + 2, "(", "nested deeper"),
    ("too deep, signs", "-" * 5000 + "params", DEEPEST + 2, "-", "nested deeper"),
    ("too deep, primitives", "log(" * 4000 + "params", 4 * DEEPEST + 5, "log", "nested deeper"),
    ("too deep, closed", "(" * 61 + "params" + ")" * 61, 62, "params", "nested deeper"),
    ("too long a sum", "+".join(["params"] * 2500), 7 * DEEPEST, "+", "nested deeper"),
    ("too long a product", "*".join("1" * 9000), 2 * DEEPEST, "*", "nested deeper"),
]


@pytest.mark.parametrize(
    ("text", "position", "token", "problem"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
def test_errors_name_the_position_and_the_token(text, position, token, problem):
    with pytest.raises(InputError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith("formula: ")
    assert problem in message
    assert f"(position {position}" in message
    assert repr(token) in message if token else "at the end" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "type_name", "advice"),
    [
        ("2", "Constant", ""),
        ("data_conv_output", "Features(raw)", "reduce and aggregate it"),
        ("mean(weight)", "Scalar", "aggregate it, for example sum_layers(...)"),
        ("trace(data_relu_agreement)", "Scalar(activations)", "aggregate it"),
        ("data_jacobian", "NetMatrix", "reduce"),
    ],
)
def test_a_formula_gives_one_number_per_network(text, type_name, advice):
    parse_any(text)
    with pytest.raises(InputError, match=r"^formula: .*\(NetScalar\)") as caught:
        parse(text)
    assert f"this gives {type_name}" in str(caught.value)
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_size_of_a_formula_is_limited():
    def balanced(leaves):
        half = leaves // 2
        return f"({balanced(leaves - half)} + {balanced(half)})" if half else "params"

    assert parse(balanced(MOST // 2)).size == MOST - 1
    message = rf"more than {MOST} primitives.*\(position \d+, at '\+'\)"
    with pytest.raises(InputError, match=message):
        parse(balanced(MOST // 2 + 1))


def test_every_formula_of_the_largest_size_can_be_read_again():
    """Its text is never longer than the longest text that the parser reads."""
    number = len(repr(-sys.float_info.max))
    widest = max(number, *map(len, (*CATALOGUE, *PRIMITIVES))) + len("(), ")
    assert MOST * widest <= LONGEST
    assert all(len(f" {p.symbol} ()") < widest for p in PRIMITIVES.values())


def test_a_run_grows_no_tree_that_the_parser_refuses():
    bound = next(
        m.le for m in EvolutionConfig.model_fields["max_nodes"].metadata if hasattr(m, "le")
    )
    assert bound == MOST


def test_the_length_of_a_text_is_limited():
    with pytest.raises(InputError, match=f"{len(LONG)} characters, at most {LONGEST} are read"):
        parse(LONG)
    assert parse("params".rjust(LONGEST)).text == "params"


PIECES = st.lists(
    st.sampled_from([*PRIMITIVES, *CATALOGUE, *"(((()))))+-*/,,", "2", "-0.5", "1e999", " ", "\n"]),
    max_size=30,
).map("".join)


@settings(max_examples=300)
@given(PIECES | st.text("()+-*/,. 12e_xlog\nλ") | st.text(max_size=20))
def test_any_text_is_parsed_or_refused_in_one_line(text):
    message = ""
    try:
        expression = parse_any(text)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    if not message:
        assert parse_any(expression.text).text == expression.text
        assert parse_any(expression.canonical.text).canonical == expression.canonical


@pytest.mark.parametrize("text", ["__import__('os')", "exec(1)", "(lambda: 1)()", "[1]", "a if b"])
def test_nothing_is_evaluated(text):
    with pytest.raises(InputError):
        parse(text)


def test_the_types_of_the_examples():
    """Guards the cases in WRONG: each must be wrong for the reason that it names."""
    assert parse(SUM_OF_MEANS).type == NET_SCALAR
    assert parse_any("2 * 3 - log(4)").type == CONSTANT
    assert parse_any(f"cosine({FEATURES})").type.form == "scalar"
