//! Floor 3: the only outbound network: email and webhook, rendering, signing.
