//! Respoke: sessions, apps and administrators in headers of their own, and role trees.
