//! Finds the maximum of a smooth function of a few positive parameters by damped Newton steps in their logarithms.

/// A function's value with its first and second derivatives by the parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope<const N: usize> {
    pub(super) value: f64,
    pub(super) gradient: [f64; N],
    /// Symmetric; only the entries `[i][j]` with i ≤ j are read.
    pub(super) hessian: [[f64; N]; N],
}

impl<const N: usize> Slope<N> {
    pub(super) const ZERO: Self = Self { value: 0.0, gradient: [0.0; N], hessian: [[0.0; N]; N] };

    /// Both together.
    pub(super) fn plus(mut self, other: Self) -> Self {
        self.value += other.value;
        for i in 0..N {
            self.gradient[i] += other.gradient[i];
            for j in i..N {
                self.hessian[i][j] += other.hessian[i][j];
            }
        }
        self
    }

    /// The same by the logarithms of the parameters.
    fn by_logarithms(&self, at: &[f64; N]) -> Self {
        let mut slope = Self { value: self.value, ..Self::ZERO };
        for i in 0..N {
            slope.gradient[i] = at[i] * self.gradient[i];
            for j in i..N {
                slope.hessian[i][j] = at[i] * at[j] * self.hessian[i][j];
            }
            slope.hessian[i][i] += slope.gradient[i];
        }
        slope
    }
}

/// More steps than this are a sign that there is no maximum.
const MOST_STEPS: usize = 200;
/// A parameter smaller than e^-FURTHEST or larger than e^FURTHEST is on its way to nowhere.
const FURTHEST: f64 = 20.0;
/// No step changes a parameter by more than this factor (as a logarithm).
const LONGEST: f64 = 2.0;
/// The value cannot grow by more than this any more, by the parabola through the last point.
const NEAR: f64 = 1e-13;
/// Where a long step gains no more than this, the function runs level towards a limit: the limit is as good as reached. (All customers leave with the same chance, or
/// buy at the same rate: then two parameters grow without end, and what follows from them does not change.)
const LEVEL: f64 = 5e-4;
/// A long step, as a logarithm.
const LONG: f64 = 0.5;
/// The weakest damping that counts, as a part of a curvature.
const WEAKEST: f64 = 1e-6;

/// The parameters at the maximum of `function`, and the value there; `None` when the way leads to 0 or without end.
pub(super) fn maximum<const N: usize>(start: [f64; N], function: impl Fn(&[f64; N]) -> Slope<N>) -> Option<([f64; N], f64)> {
    let mut at = start;
    let mut here = function(&at).by_logarithms(&at);
    let mut damping = 0.0;
    for _ in 0..MOST_STEPS {
        if !here.value.is_finite() {
            return None;
        }
        let Some(step) = step(&here, damping) else {
            damping = (damping * 8.0).max(WEAKEST);
            continue;
        };
        let gain: f64 = step.iter().zip(&here.gradient).map(|(step, slope)| step * slope).sum();
        let longest = step.iter().fold(0.0, |longest: f64, step| longest.max(step.abs()));
        if damping == 0.0 && (gain < NEAR || gain < LEVEL && longest > LONG) {
            return Some((at, here.value));
        }
        let shorter = (LONGEST / longest).min(1.0);
        let next: [f64; N] = std::array::from_fn(|i| at[i] * (step[i] * shorter).exp());
        if next.iter().any(|value| value.ln().abs() > FURTHEST) {
            return None;
        }
        let there = function(&next).by_logarithms(&next);
        // What is lost in the last digits of a large sum is no loss.
        if there.value >= here.value - 1e-13 * here.value.abs() {
            (at, here) = (next, there);
            damping = if damping <= WEAKEST { 0.0 } else { damping / 8.0 };
        } else if gain < 1e3 * NEAR {
            return Some((at, here.value));
        } else {
            damping = (damping * 8.0).max(WEAKEST);
        }
    }
    None
}

/// Solves (damping − hessian)·step = gradient by Cholesky's method; `None` when the matrix is not positive definite, so that the step would not lead upwards.
fn step<const N: usize>(slope: &Slope<N>, damping: f64) -> Option<[f64; N]> {
    let scale = (0..N).fold(0.0, |most: f64, i| most.max(slope.hessian[i][i].abs()));
    let mut lower = [[0.0; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let damped = if i == j { damping * (scale + slope.hessian[i][i].abs()) } else { 0.0 };
            let rest = damped - slope.hessian[j][i] - (0..j).map(|k| lower[i][k] * lower[j][k]).sum::<f64>();
            if i != j {
                lower[i][j] = rest / lower[j][j];
            } else if rest > 1e-14 * scale {
                lower[i][i] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut half = [0.0; N];
    for i in 0..N {
        half[i] = (slope.gradient[i] - (0..i).map(|k| lower[i][k] * half[k]).sum::<f64>()) / lower[i][i];
    }
    let mut step = [0.0; N];
    for i in (0..N).rev() {
        step[i] = (half[i] - (i + 1..N).map(|k| lower[k][i] * step[k]).sum::<f64>()) / lower[i][i];
    }
    Some(step)
}
