//! The form that is sent to an endpoint (RFC 7662 §2.1): it holds a token, and perhaps our own secret.

use form_urlencoded::byte_serialize;

use crate::secret::Secret;

/// Names and values, encoded as `application/x-www-form-urlencoded`.
pub(super) struct Form(Secret<String>);

impl Form {
    pub(super) fn new() -> Form {
        Form(Secret::new(String::new()))
    }

    /// Adds a pair. The room is made for exactly what there is, and what had become too small is wiped: a
    /// text that grows by itself leaves its beginnings behind.
    pub(super) fn append(&mut self, name: &str, value: &str) {
        let parts = || {
            let and = if self.0.is_empty() { None } else { Some("&") };
            let encoded = |text| byte_serialize(str::as_bytes(text));
            let name = and.into_iter().chain(encoded(name));
            name.chain(["="]).chain(encoded(value))
        };
        let more: usize = parts().map(str::len).sum();
        let mut all = Secret::new(String::with_capacity(self.0.len() + more));
        all.push_str(&self.0);
        parts().for_each(|part| all.push_str(part));
        self.0 = all;
    }

    /// What is sent. Whoever sends it wipes it.
    pub(super) fn finish(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_encoded_as_forms_are() {
        for pairs in [
            &[][..],
            &[("", "")],
            &[("token", "a+b/c=="), ("token_type_hint", "access_token")],
            &[("a b", "&=%+ é\u{1F512}"), ("*-._", "~"), ("", "x")],
        ] {
            let mut form = Form::new();
            let mut usual = form_urlencoded::Serializer::new(String::new());
            for (name, value) in pairs {
                form.append(name, value);
                usual.append_pair(name, value);
            }
            let bytes = form.finish();
            assert_eq!(bytes.len(), bytes.capacity(), "it has grown");
            assert_eq!(String::from_utf8(bytes).unwrap(), usual.finish());
        }
    }
}
