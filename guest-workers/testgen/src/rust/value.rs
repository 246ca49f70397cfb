//! The simplest value of a type, as an expression inside the test module. `None` where the module's text cannot vouch for one.

use syn::{
    Expr, ExprLit, FnArg, GenericArgument, Lit, PathArguments, ReturnType, Signature, Type, TypeParamBound,
};

use super::Function;
use super::names::{Names, is_standard_root};

/// A call, and what comes before it.
pub(super) struct Call {
    /// Whole lines.
    pub(super) setup: String,
    pub(super) expression: String,
}

/// A call of `function` with the simplest input.
pub(super) fn call(function: &Function<'_>, names: &Names) -> Option<Call> {
    let (mut setup, mut receiver) = (String::new(), None);
    let mut arguments = Vec::new();
    for input in &function.signature.inputs {
        match input {
            FnArg::Receiver(this) => {
                if this.colon_token.is_some() {
                    return None;
                }
                let value = names.make(function.owner.as_deref()?)?;
                let mutable = if this.reference.is_some() && this.mutability.is_some() { "mut " } else { "" };
                setup = format!("    let {mutable}value = {value};\n");
                receiver = Some("value");
            }
            FnArg::Typed(argument) => arguments.push(of(&argument.ty, names)?),
        }
    }
    let target = match receiver {
        Some(receiver) => format!("{receiver}.{}", function.name()),
        None => function.path(),
    };
    Some(Call { setup, expression: format!("{target}({})", arguments.join(", ")) })
}

/// Whether an argument is `impl Trait`: then the function has no single type, and cannot even be named.
pub(super) fn takes_impl(signature: &Signature) -> bool {
    fn is_impl(ty: &Type) -> bool {
        match ty {
            Type::ImplTrait(_) => true,
            Type::Reference(inner) => is_impl(&inner.elem),
            Type::Paren(inner) => is_impl(&inner.elem),
            Type::Tuple(inner) => inner.elems.iter().any(is_impl),
            Type::Slice(inner) => is_impl(&inner.elem),
            Type::Array(inner) => is_impl(&inner.elem),
            Type::Path(path) => path.path.segments.iter().any(|segment| match &segment.arguments {
                PathArguments::AngleBracketed(arguments) => arguments
                    .args
                    .iter()
                    .any(|argument| matches!(argument, GenericArgument::Type(ty) if is_impl(ty))),
                _ => false,
            }),
            _ => false,
        }
    }
    signature.inputs.iter().any(|input| matches!(input, FnArg::Typed(argument) if is_impl(&argument.ty)))
}

pub(super) fn returns_nothing(signature: &Signature) -> bool {
    match &signature.output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Tuple(tuple) => tuple.elems.is_empty(),
            Type::Never(_) => true,
            _ => false,
        },
    }
}

fn of(ty: &Type, names: &Names) -> Option<String> {
    match ty {
        Type::Paren(inner) => of(&inner.elem, names),
        Type::Group(inner) => of(&inner.elem, names),
        Type::Tuple(tuple) => {
            let values = tuple.elems.iter().map(|ty| of(ty, names)).collect::<Option<Vec<_>>>()?;
            Some(if values.len() == 1 {
                format!("({},)", values[0])
            } else {
                format!("({})", values.join(", "))
            })
        }
        Type::Array(array) => {
            let Expr::Lit(ExprLit { lit: Lit::Int(length), .. }) = &array.len else { return None };
            let element = of(&array.elem, names)?;
            let is_literal = element.starts_with(|c: char| c.is_ascii_digit())
                || matches!(element.as_str(), "false" | "\"\"" | "'a'");
            is_literal.then(|| format!("[{element}; {}]", length.base10_digits()))
        }
        Type::Reference(reference) => referred(reference, names),
        Type::ImplTrait(bounds) => implementor(bounds.bounds.iter(), names),
        Type::Path(path) if path.qself.is_none() => named(&path.path, names),
        _ => None,
    }
}

fn named(path: &syn::Path, names: &Names) -> Option<String> {
    let (first, last) = (path.segments.first()?, path.segments.last()?);
    let name = last.ident.to_string();
    let qualified = path.segments.len() > 1;
    if qualified {
        let known = is_standard_root(&first.ident.to_string()) && Names::default().is_standard(&name);
        return known.then(|| "Default::default()".to_owned());
    }
    if let Some(made) = names.make(&name) {
        return matches!(last.arguments, PathArguments::None).then(|| made.to_owned());
    }
    if !names.is_not_foreign(&name) {
        return None;
    }
    match name.as_str() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
            Some("0".to_owned())
        }
        "f32" | "f64" => Some("0.0".to_owned()),
        "bool" => Some("false".to_owned()),
        "char" => Some("'a'".to_owned()),
        "Option" if !names.is_standard("Option") => None,
        "Option" => Some("None".to_owned()),
        // These have a `Default` only if what is in them has one.
        "Cell" | "RefCell" | "Mutex" | "RwLock" => {
            let inner = argument(&last.arguments)?;
            (names.is_standard(&name) && of(inner, names).is_some()).then(|| "Default::default()".to_owned())
        }
        _ => names.is_standard(&name).then(|| "Default::default()".to_owned()),
    }
}

fn argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments
        .args
        .iter()
        .find_map(|argument| if let GenericArgument::Type(ty) = argument { Some(ty) } else { None })
}

fn referred(reference: &syn::TypeReference, names: &Names) -> Option<String> {
    let mutable = if reference.mutability.is_some() { "mut " } else { "" };
    match &*reference.elem {
        Type::Slice(slice) if of(&slice.elem, names).is_some() => Some(format!("&{mutable}[]")),
        Type::Path(path) if mutable.is_empty() && path.path.is_ident("str") => Some("\"\"".to_owned()),
        Type::Path(path) if mutable.is_empty() && path.path.is_ident("Path") => {
            names.is_not_foreign("Path").then(|| "std::path::Path::new(\"\")".to_owned())
        }
        Type::Path(path) if mutable.is_empty() && path.path.is_ident("OsStr") => {
            names.is_not_foreign("OsStr").then(|| "std::ffi::OsStr::new(\"\")".to_owned())
        }
        // A default needs its type from somewhere: behind a reference, the signature still gives it.
        other => of(other, names).map(|value| format!("&{mutable}{value}")),
    }
}

/// An example of `impl Trait`, where one is obvious.
fn implementor<'a>(bounds: impl Iterator<Item = &'a TypeParamBound>, names: &Names) -> Option<String> {
    let mut bounds = bounds.filter(|bound| !matches!(bound, TypeParamBound::Lifetime(_)));
    let (Some(TypeParamBound::Trait(bound)), None) = (bounds.next(), bounds.next()) else { return None };
    let segment = bound.path.segments.last()?;
    let name = segment.ident.to_string();
    if !names.is_not_foreign(&name) {
        return None;
    }
    let inner = argument(&segment.arguments).and_then(super::names::plain);
    match (name.as_str(), inner.as_deref()) {
        ("AsRef", Some("str" | "Path" | "OsStr"))
        | ("Into", Some("String" | "PathBuf"))
        | ("ToString" | "Display" | "Debug", None) => Some("\"\"".to_owned()),
        _ => None,
    }
}
