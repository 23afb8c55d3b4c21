//! A token for somebody else must not pass, so the audience is no option.

fn main() {
    let _ = portcullis::JwtVerifier::builder("https://as.example").build();
}
