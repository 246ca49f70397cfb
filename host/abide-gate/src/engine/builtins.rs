//! Which builtin functions a policy may call. A list of those that are allowed: what a later regorus adds stays out until somebody looks.
//!
//! Left out on purpose: what reads the world (`http.send`, `time.now_ns`, `opa.runtime`), what is not the same twice (`rand.intn`,
//! `uuid.rfc4122`), what says something on the side (`print`, `trace`), and what makes much out of little and cannot be bounded here
//! (`numbers.range`, `sprintf` with a width, `strings.count`, `json.marshal`, `walk`, …). `concat`, `sprintf`, `replace` and
//! `array.concat` are replaced by versions of our own that stop at a size, and `array.slice`, `substring` and `regex.match` by such that are the same
//! where words have 32 bits, as inside the sealed judge; `crypto`, `io.jwt` and `net` are the host's (folder `builtins/`).

mod crypto;
mod jwt;
mod moment;
mod net;
mod part;
mod pattern;

use regorus::Value;

/// Allowed as regorus has them: their result is not larger than their arguments, or is a scalar.
const ALLOWED: &[&str] = &[
    "abs",
    "all",
    "any",
    "array.reverse",
    "bits.and",
    "bits.or",
    "ceil",
    "contains",
    "count",
    "endswith",
    "floor",
    "glob.match",
    "indexof",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "lower",
    "max",
    "min",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "round",
    "semver.compare",
    "semver.is_valid",
    "sort",
    "split",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "sum",
    "to_number",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
    "upper",
];

/// A function of the host, as regorus calls it.
type Own = fn(Vec<Value>) -> anyhow::Result<Value>;

/// Allowed because the host brings them: name, number of arguments, and function. Some replace regorus' own and stop at a size;
/// the others regorus does not have, or not as OPA has them. Each gives the same for the same arguments, whenever it is asked.
const OWN: &[(&str, u8, Own)] = &[
    ("array.concat", 2, array_concat),
    ("array.slice", 3, part::slice),
    ("concat", 2, concat),
    ("regex.match", 2, pattern::matches),
    ("replace", 3, replace),
    ("sprintf", 2, sprintf),
    ("substring", 3, part::substring),
    ("crypto.hmac.equal", 2, crypto::hmac_equal),
    ("crypto.hmac.sha1", 2, crypto::hmac_sha1),
    ("crypto.hmac.sha256", 2, crypto::hmac_sha256),
    ("crypto.hmac.sha512", 2, crypto::hmac_sha512),
    ("crypto.sha256", 1, crypto::sha256),
    ("io.jwt.decode", 1, jwt::decode),
    ("io.jwt.decode_verify", 2, jwt::decode_verify),
    ("io.jwt.verify_eddsa", 2, jwt::verify_eddsa),
    ("io.jwt.verify_es256", 2, jwt::verify_es256),
    ("io.jwt.verify_es384", 2, jwt::verify_es384),
    ("io.jwt.verify_hs256", 2, jwt::verify_hs256),
    ("io.jwt.verify_hs384", 2, jwt::verify_hs384),
    ("io.jwt.verify_hs512", 2, jwt::verify_hs512),
    ("io.jwt.verify_ps256", 2, jwt::verify_ps256),
    ("io.jwt.verify_ps384", 2, jwt::verify_ps384),
    ("io.jwt.verify_ps512", 2, jwt::verify_ps512),
    ("io.jwt.verify_rs256", 2, jwt::verify_rs256),
    ("io.jwt.verify_rs384", 2, jwt::verify_rs384),
    ("io.jwt.verify_rs512", 2, jwt::verify_rs512),
    ("time.clock", 1, moment::clock),
    ("time.date", 1, moment::date),
    ("time.parse_rfc3339_ns", 1, moment::parse_rfc3339_ns),
    ("time.weekday", 1, moment::weekday),
    ("net.cidr_contains", 2, net::cidr_contains),
    ("net.cidr_intersects", 2, net::cidr_intersects),
    ("net.cidr_is_valid", 1, net::cidr_is_valid),
];

/// Names that a policy author may know from elsewhere, with the reason why they are refused here.
const REFUSED: &[(&str, &str)] = &[
    ("http.send", "a policy cannot reach the network"),
    ("time.now_ns", "a decision must come out the same in a year: use `input.now` (milliseconds)"),
    ("rand.intn", "a decision must come out the same every time"),
    ("uuid.rfc4122", "a decision must come out the same every time"),
    ("time.add_date", "calendars are not counted here: add milliseconds to `input.now`"),
    ("time.diff", "calendars are not counted here: subtract milliseconds"),
    ("time.format", "name a moment by `time.date` and `time.clock`"),
    ("time.parse_duration_ns", "write durations as numbers of milliseconds"),
    ("time.parse_ns", "write moments as `time.parse_rfc3339_ns` reads them"),
    ("opa.runtime", "a policy does not see the machine it runs on"),
    ("print", "a policy says what it has to say in its findings"),
    ("trace", "a policy says what it has to say in its findings"),
    ("numbers.range", "its result has no bound"),
    ("numbers.range_step", "its result has no bound"),
    ("strings.count", "it does not end for an empty text"),
    ("walk", "its work has no bound: name the path you mean"),
    ("json.marshal", "its result grows without bound when nested"),
    ("product", "its result grows without bound"),
    ("bits.lsh", "its result grows without bound"),
    ("crypto.md5", "MD5 proves nothing: use `crypto.sha256`"),
    ("crypto.hmac.md5", "MD5 proves nothing: use `crypto.hmac.sha256`"),
    ("crypto.sha1", "SHA-1 proves nothing: use `crypto.sha256`"),
    ("io.jwt.encode_sign", "a policy judges, it signs nothing"),
    ("io.jwt.encode_sign_raw", "a policy judges, it signs nothing"),
    ("io.jwt.verify_es512", "no signature over P-521 can be verified here"),
    ("net.cidr_expand", "its result has no bound: use `net.cidr_contains`"),
    ("net.lookup_ip_addr", "a policy cannot reach the network"),
];

/// Text bytes that one call may produce.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Items that one call may produce.
const ITEMS_MAX: usize = 20_000;

/// A function that only tests have: it stands for a fault of the engine in the middle of a decision.
#[cfg(test)]
const FAULTY: &[(&str, u8, Own)] = &[("faulty.panic", 1, |_| panic!("a fault of the engine, for a test"))];
#[cfg(not(test))]
const FAULTY: &[(&str, u8, Own)] = &[];

fn of_the_host() -> impl Iterator<Item = &'static (&'static str, u8, Own)> {
    OWN.iter().chain(FAULTY)
}

/// Whether a policy may call `name`.
pub(crate) fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name) || of_the_host().any(|(own, _, _)| *own == name)
}

/// Why `name` is refused, if it is a builtin that exists elsewhere.
pub(crate) fn why_refused(name: &str) -> Option<&'static str> {
    let listed = REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, why)| *why);
    let known = regorus::unstable::BUILTINS.contains_key(name);
    listed.or_else(|| {
        known.then_some("it is not on the list of builtins that are known to be bounded and repeatable")
    })
}

/// Names of the host's functions, with the number of their arguments.
pub(crate) fn own() -> impl Iterator<Item = (&'static str, u8)> {
    of_the_host().map(|(name, arity, _)| (*name, *arity))
}

/// Gives the host's functions to an engine.
pub(crate) fn install(engine: &mut regorus::Engine) -> Result<(), String> {
    for (name, arity, own) in of_the_host() {
        engine
            .add_extension((*name).to_owned(), *arity, Box::new(*own))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Both arguments of `name` as texts.
fn two_texts<'a>(name: &str, arguments: &'a [Value]) -> anyhow::Result<(&'a str, &'a str)> {
    let [Value::String(first), Value::String(second)] = arguments else {
        anyhow::bail!("`{name}` takes two texts");
    };
    Ok((first, second))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
fn array_concat(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::Array(first), Value::Array(second)] = arguments.as_slice() else {
        anyhow::bail!("`array.concat` takes two arrays");
    };
    anyhow::ensure!(
        first.len().saturating_add(second.len()) <= ITEMS_MAX,
        "`array.concat` would give more than {ITEMS_MAX} items"
    );
    Ok(Value::from(first.iter().chain(second.iter()).cloned().collect::<Vec<_>>()))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
fn concat(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(separator), list] = arguments.as_slice() else {
        anyhow::bail!("`concat` takes a text and a list of texts");
    };
    let items: Vec<&Value> = match list {
        Value::Array(items) => items.iter().collect(),
        Value::Set(items) => items.iter().collect(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_)
        | Value::Undefined => {
            anyhow::bail!("`concat` takes a text and a list of texts");
        }
    };
    let mut out = String::new();
    for (index, item) in items.into_iter().enumerate() {
        let Value::String(text) = item else { anyhow::bail!("`concat` takes a list of texts") };
        if index > 0 {
            push(&mut out, separator, "concat")?;
        }
        push(&mut out, text, "concat")?;
    }
    Ok(Value::from(out))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
fn replace(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(text), Value::String(old), Value::String(new)] = arguments.as_slice() else {
        anyhow::bail!("`replace` takes three texts");
    };
    anyhow::ensure!(!old.is_empty(), "`replace` of an empty text has no bound");
    let mut out = String::new();
    for (index, piece) in text.split(&**old).enumerate() {
        if index > 0 {
            push(&mut out, new, "replace")?;
        }
        push(&mut out, piece, "replace")?;
    }
    Ok(Value::from(out))
}

/// `%s`, `%d` and `%v` put the next argument in; `%%` is a percent sign. Widths and other verbs are refused.
#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
fn sprintf(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(format), Value::Array(values)] = arguments.as_slice() else {
        anyhow::bail!("`sprintf` takes a text and an array");
    };
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = &**format;
    while let Some((before, after)) = rest.split_once('%') {
        push(&mut out, before, "sprintf")?;
        let mut letters = after.chars();
        match letters.next() {
            Some('%') => push(&mut out, "%", "sprintf")?,
            Some('s' | 'd' | 'v') => {
                let Some(value) = values.next() else {
                    anyhow::bail!("`sprintf` has more verbs than arguments")
                };
                push(&mut out, &shown(value)?, "sprintf")?;
            }
            _ => anyhow::bail!("`sprintf` knows %s, %d, %v and %% here, without widths"),
        }
        rest = letters.as_str();
    }
    push(&mut out, rest, "sprintf")?;
    anyhow::ensure!(values.next().is_none(), "`sprintf` has more arguments than verbs");
    Ok(Value::from(out))
}

fn shown(value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.to_string()),
        Value::Null => Ok("null".to_owned()),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Number(number) => Ok(number.format_decimal()),
        Value::Array(_) | Value::Set(_) | Value::Object(_) | Value::Undefined => {
            anyhow::bail!("`sprintf` takes texts, numbers and truth values here: join lists with `concat`")
        }
    }
}

fn push(out: &mut String, piece: &str, name: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        out.len().saturating_add(piece.len()) <= TEXT_BYTES_MAX,
        "`{name}` would give more than {TEXT_BYTES_MAX} bytes"
    );
    out.push_str(piece);
    Ok(())
}

#[cfg(test)]
mod tests;
