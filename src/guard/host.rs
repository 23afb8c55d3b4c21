//! The one label that a request's host has before a domain.

use std::borrow::Cow;

use http::header::HOST;
use http::request::Parts;

use crate::error::ConfigError;
use crate::text::quote;

/// Reads a domain in lower case, as host names know no case.
pub(super) fn domain(text: &str) -> Result<Box<str>, ConfigError> {
    if text.split('.').all(is_label) {
        return Ok(text.to_ascii_lowercase().into());
    }
    Err(ConfigError::new(format!(
        "domain is {}, wanted a host name without port and without a dot at its ends",
        quote(text)
    )))
}

/// The label before `domain`, in lower case.
pub(super) fn label<'a>(parts: &'a Parts, domain: &str) -> Result<Cow<'a, str>, String> {
    let host = host(parts)?;
    let label = before(host, domain)
        .ok_or_else(|| format!("host is {}, wanted one label before {domain}", quote(host)))?;
    if label.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(Cow::Owned(label.to_ascii_lowercase()));
    }
    Ok(Cow::Borrowed(label))
}

/// The host the request is for: the authority of its target, else `Host`.
///
/// RFC 9112 §3.2.2 lets the target win, and RFC 9113 §8.3.1 has a server refuse two that differ.
/// Frameworks read one or the other, so we insist that they agree.
fn host(parts: &Parts) -> Result<&str, String> {
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return Err("host is there twice, wanted one header".to_owned());
    }
    let header = header
        .map(|value| value.to_str())
        .transpose()
        .map_err(|_| "host is no visible ASCII, wanted a host name")?;
    match (parts.uri.authority(), header) {
        (Some(target), None) => Ok(target.as_str()),
        (None, Some(header)) => Ok(header),
        (None, None) => Err("host is absent, wanted it in the target or as a header".to_owned()),
        (Some(target), Some(header)) => {
            let same = name(target.as_str())
                .zip(name(header))
                .is_some_and(|(one, other)| one.eq_ignore_ascii_case(other));
            if same {
                return Ok(target.as_str());
            }
            Err(format!(
                "host is {}, wanted {} as in the target",
                quote(header),
                quote(target.as_str())
            ))
        }
    }
}

/// The name without the port.
fn name(host: &str) -> Option<&str> {
    match host.rsplit_once(':') {
        Some((name, port)) => port
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(name),
        None => Some(host),
    }
}

fn before<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let name = name(host)?;
    let (label, found) = name.split_at_checked(name.len().checked_sub(domain.len())?)?;
    let label = label.strip_suffix('.')?;
    (found.eq_ignore_ascii_case(domain) && is_label(label)).then_some(label)
}

/// One label, which holds no dot: so there is exactly one.
fn is_label(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, hosts: &[&[u8]]) -> Result<String, String> {
        let mut request = http::Request::get(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        label(&parts, "share.example.org").map(Cow::into_owned)
    }

    #[test]
    fn one_label_before_the_domain() {
        for host in [
            "acme.share.example.org",
            "ACME.Share.Example.ORG",
            "acme.share.example.org:8080",
            "acme.share.example.org:",
        ] {
            let target = format!("http://{host}/");
            for found in [
                read("/", &[host.as_bytes()]),
                read(&target, &[]),
                read(&target, &[b"acme.share.example.org"]),
            ] {
                assert_eq!(found.as_deref(), Ok("acme"), "{host}");
            }
        }
        for host in [
            "share.example.org",
            ".share.example.org",
            "a.b.share.example.org",
            "acmeshare.example.org",
            "acme.share.example.org.",
            "acme.share.example.org.evil.example",
            "acme.share.example.org:80a",
            "user@acme.share.example.org",
            "acme.share.example.org@evil.example",
            "%61cme.share.example.org",
            "acme .share.example.org",
            "[::1]:80",
            "org",
            "",
        ] {
            assert_eq!(
                read("/", &[host.as_bytes()]),
                Err(format!(
                    r#"host is "{host}", wanted one label before share.example.org"#
                ))
            );
        }
        assert!(read("http://user@acme.share.example.org/", &[]).is_err());
    }

    #[test]
    fn one_host() {
        let host: &[u8] = b"acme.share.example.org";
        for (uri, hosts, sentence) in [
            (
                "/",
                &[][..],
                "host is absent, wanted it in the target or as a header",
            ),
            ("/", &[host, host], "host is there twice, wanted one header"),
            (
                "http://acme.share.example.org/",
                &[host, host],
                "host is there twice, wanted one header",
            ),
            (
                "http://acme.share.example.org/",
                &[b"evil.share.example.org"],
                r#"host is "evil.share.example.org", wanted "acme.share.example.org" as in the target"#,
            ),
            (
                "/",
                &[b"acm\xe9"],
                "host is no visible ASCII, wanted a host name",
            ),
        ] {
            assert_eq!(read(uri, hosts), Err(sentence.to_owned()));
        }
    }

    #[test]
    fn domains_are_host_names() {
        assert_eq!(&*domain("Share.Example.org").unwrap(), "share.example.org");
        assert!(domain("localhost").is_ok());
        for bad in [
            "",
            ".",
            ".example.org",
            "example.org.",
            "a..b",
            "a:80",
            "a/b",
            "é.org",
        ] {
            assert_eq!(
                domain(bad).unwrap_err().to_string(),
                format!(
                    "domain is {}, wanted a host name without port and without a dot at its ends",
                    quote(bad)
                )
            );
        }
    }
}
