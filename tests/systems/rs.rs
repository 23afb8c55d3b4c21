//! Respoke, statements RS-1 to RS-18.
