//! Header fields: as many and as long as the task's limits allow, names in lower case, nothing that could end a line.

use wasmtime::component::Resource;

use super::bindings::wasi::http::types::{HeaderError, HostFields};
use super::{Lot, count};
use crate::host::State;
use crate::stub::Stop;

/// A set of header fields.
#[derive(Debug)]
pub struct Fields {
    list: Vec<(String, Vec<u8>)>,
    /// Part of a request that left, or of an answer.
    fixed: bool,
    lot: Lot,
}

/// Bytes of one field.
fn size(name: &str, value: &[u8]) -> u64 {
    count(name.len().saturating_add(value.len()))
}

/// Letters of a name (RFC 9110, section 5.6.2), in lower case.
fn name_of(name: &str) -> Option<String> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_letter);
    is_name.then(|| name.to_ascii_lowercase())
}

/// Whether a value ends no line (RFC 9110, section 5.5).
fn is_value(value: &[u8]) -> bool {
    !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

impl Fields {
    /// What stands in it.
    pub(super) fn list(&self) -> &[(String, Vec<u8>)] {
        &self.list
    }

    /// Names and values as the broker takes them; none if a value is no text.
    pub(super) fn texts(&self) -> Option<Vec<(String, String)>> {
        let text = |(name, value): &(String, Vec<u8>)| {
            Some((name.clone(), std::str::from_utf8(value).ok()?.to_owned()))
        };
        self.list.iter().map(text).collect()
    }

    fn add(&mut self, fields_max: usize, name: String, value: Vec<u8>) -> Result<(), HeaderError> {
        if !is_value(&value) {
            return Err(HeaderError::InvalidSyntax);
        }
        // The limits, which this version of WASI has no word for.
        if self.list.len() >= fields_max || !self.lot.grow(size(&name, &value)) {
            return Err(HeaderError::Forbidden);
        }
        self.list.push((name, value));
        Ok(())
    }

    /// Takes away what is called `name`, and gives back what it took.
    fn remove(&mut self, name: &str) {
        self.list.retain(|(one, _)| one != name);
        let left = self.list.iter().map(|(name, value)| size(name, value)).sum();
        self.lot.shrink_to(left);
    }
}

/// Too many bytes of header fields for a call that has no way to say so.
fn too_many() -> wasmtime::Error {
    Stop::Fields.into()
}

impl State {
    /// A copy that cannot be changed, of `list`.
    pub(super) fn fixed(&mut self, list: &[(String, Vec<u8>)]) -> wasmtime::Result<Resource<Fields>> {
        let bytes = list.iter().map(|(name, value)| size(name, value)).sum();
        let lot = self.http.fields.take(bytes).ok_or_else(too_many)?;
        self.hold(Fields { list: list.to_vec(), fixed: true, lot })
    }

    /// Takes the fields of a request out of the table.
    pub(super) fn take_fields(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Fields> {
        let mut taken = self.let_go(fields)?;
        taken.fixed = true;
        Ok(taken)
    }

    /// Something about fields that can be changed, with how many there may be.
    fn change<T>(
        &mut self,
        fields: &Resource<Fields>,
        change: impl FnOnce(&mut Fields, usize) -> Result<T, HeaderError>,
    ) -> wasmtime::Result<Result<T, HeaderError>> {
        let fields_max = self.http.fields_max;
        let fields = self.http.table.get_mut(fields)?;
        Ok(if fields.fixed { Err(HeaderError::Immutable) } else { change(fields, fields_max) })
    }
}

impl HostFields for State {
    fn new(&mut self) -> wasmtime::Result<Resource<Fields>> {
        let lot = self.http.fields.lot();
        self.hold(Fields { list: Vec::new(), fixed: false, lot })
    }

    fn from_list(
        &mut self,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<Resource<Fields>, HeaderError>> {
        let fields_max = self.http.fields_max;
        let mut fields = Fields { list: Vec::new(), fixed: false, lot: self.http.fields.lot() };
        for (name, value) in entries {
            let Some(name) = name_of(&name) else { return Ok(Err(HeaderError::InvalidSyntax)) };
            if let Err(error) = fields.add(fields_max, name, value) {
                return Ok(Err(error));
            }
        }
        self.hold(fields).map(Ok)
    }

    fn get(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        let name = name.to_ascii_lowercase();
        let found = self.http.table.get(&fields)?.list.iter().filter(|(one, _)| *one == name);
        Ok(found.map(|(_, value)| value.clone()).collect())
    }

    fn has(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<bool> {
        let name = name.to_ascii_lowercase();
        Ok(self.http.table.get(&fields)?.list.iter().any(|(one, _)| *one == name))
    }

    fn set(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        values: Vec<Vec<u8>>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.change(&fields, |fields, fields_max| {
            let name = name_of(&name).ok_or(HeaderError::InvalidSyntax)?;
            fields.remove(&name);
            values.into_iter().try_for_each(|value| fields.add(fields_max, name.clone(), value))
        })
    }

    fn delete(
        &mut self,
        fields: Resource<Fields>,
        name: String,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.change(&fields, |fields, _| {
            fields.remove(&name_of(&name).ok_or(HeaderError::InvalidSyntax)?);
            Ok(())
        })
    }

    fn append(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.change(&fields, |fields, fields_max| {
            fields.add(fields_max, name_of(&name).ok_or(HeaderError::InvalidSyntax)?, value)
        })
    }

    fn entries(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        Ok(self.http.table.get(&fields)?.list.clone())
    }

    fn clone(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Resource<Fields>> {
        let list = self.http.table.get(&fields)?.list.clone();
        let copy = self.fixed(&list)?;
        self.http.table.get_mut(&copy)?.fixed = false;
        Ok(copy)
    }

    fn drop(&mut self, fields: Resource<Fields>) -> wasmtime::Result<()> {
        self.let_go(fields).map(drop)
    }
}
