//! The macro that makes a component of a plugin.

/// Makes a component of a plugin: `export!(SteadySync: Promotion)`, or several roles, `export!(Gate: HealthCheck, Promotion)`.
///
/// To be written once in a crate, at its root, with the plugin's type and the traits of its roles ([`HealthCheck`],
/// [`Promotion`], [`Notifier`]). The component exports these roles and `configuration`, and nothing else. On other targets than
/// WebAssembly it only checks that the traits are there.
///
/// [`HealthCheck`]: crate::HealthCheck
/// [`Promotion`]: crate::Promotion
/// [`Notifier`]: crate::Notifier
#[macro_export]
macro_rules! export {
    ($plugin:ty: $($role:ident),+ $(,)?) => {
        $crate::__export!($plugin: $($role),+);
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty: $($role:ident),+) => {
        // The generated functions are the component's ABI.
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::guest::Exported<$plugin>;
            $crate::guest::configuration::export!(Exported with_types_in $crate::guest::configuration);
            $($crate::__export_role!($role);)+
        };
    };
}

#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export_role {
    (HealthCheck) => {
        $crate::guest::health_check::export!(Exported with_types_in $crate::guest::health_check);
    };
    (Promotion) => {
        $crate::guest::promotion::export!(Exported with_types_in $crate::guest::promotion);
    };
    (Notifier) => {
        $crate::guest::notifier::export!(Exported with_types_in $crate::guest::notifier);
    };
}

#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty: $($role:ident),+) => {
        const _: () = {
            $({
                const fn plays<P: $crate::$role>() {}
                plays::<$plugin>();
            })+
        };
    };
}
