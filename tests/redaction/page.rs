//! What was formatted, in all ways, and of which types it is.

use std::any::type_name;
use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};

#[derive(Default)]
pub(crate) struct Page {
    pub(crate) text: String,
    /// The types of what was formatted, without their parameters.
    pub(crate) types: BTreeSet<&'static str>,
}

impl Page {
    pub(crate) fn debug<T: Debug>(&mut self, value: &T) {
        self.note::<T>();
        let text = format!("{value:?}\n{value:#?}");
        // What shows nothing hides everything, and helps nobody.
        assert!(text.len() > 2, "{}", type_name::<T>());
        writeln!(self.text, "{text}").unwrap();
    }

    /// Whichever it is.
    pub(crate) fn outcome<T: Debug, E: Debug>(&mut self, outcome: &Result<T, E>) {
        match outcome {
            Ok(value) => self.debug(value),
            Err(error) => self.debug(error),
        }
    }

    pub(crate) fn error<E: std::error::Error + 'static>(&mut self, error: &E) {
        self.note::<E>();
        writeln!(self.text, "{error}\n{error:#}\n{error:?}\n{error:#?}").unwrap();
        let mut source = error.source();
        while let Some(cause) = source {
            writeln!(self.text, "{cause}\n{cause:?}").unwrap();
            source = cause.source();
        }
    }

    fn note<T>(&mut self) {
        let name = type_name::<T>().trim_start_matches('&');
        self.types.insert(name.split('<').next().unwrap_or(name));
    }

    /// Another page behind this one.
    #[allow(dead_code)] // The systems have one page.
    pub(crate) fn add(&mut self, other: Page) {
        self.text.push_str(&other.text);
        self.types.extend(other.types);
    }
}
