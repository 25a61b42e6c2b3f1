"""The peers of `spectra.py` in JAX; run by it, in an interpreter that has jax and matfree.

    python jax_spectra.py PROBLEM.npz OUT.npz METHOD DTYPE REPEATS

METHOD is ``dense`` (a jitted Hessian and eigh, in batches of 5 points), or ``krylov:K`` (matfree's
Lanczos with K dimensions, which it has to be told).
"""

import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

TOP, BOTTOM = 20, 5


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def main() -> None:
    """Time one method and write what it found."""
    problem, out, method, dtype, repeats = sys.argv[1:]
    jax.config.update("jax_enable_x64", dtype == "float64")
    data = np.load(problem)
    weight = {k: jnp.asarray(data[k], dtype) for k in data.files if "." in k}
    x, y = (jnp.asarray(data[k], dtype) for k in "xy")
    t, features = jnp.asarray(data["t"]), jnp.asarray(data["features"], dtype)

    def linear(name: str, h: jax.Array) -> jax.Array:
        return h @ weight[f"{name}.weight"].T + weight[f"{name}.bias"]

    def energy(y: jax.Array, x: jax.Array, t: jax.Array) -> jax.Array:
        h = jax.nn.gelu(linear("time_mlp.1", features[t]), approximate=False)
        h = linear("time_mlp.3", h)
        (g2, b2), (g3, b3) = (jnp.split(linear(f"t_map_fc{i}", h), 2) for i in (2, 3))
        h = jax.nn.swish(linear("fc1", jnp.concatenate([x, y])))
        h = jax.nn.swish(linear("fc2", h) * (g2 + 1) + b2)
        h = jax.nn.swish(linear("fc3", h) * (g3 + 1) + b3)
        return jnp.sum(linear("fc4", h) ** 2)

    def dense(y: jax.Array, x: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
        values, vectors = jnp.linalg.eigh(jax.hessian(energy)(y, x, t))
        return values, vectors[:, :1]

    def krylov(y: jax.Array, x: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
        from matfree import decomp, eig

        num = int(method.split(":")[1])
        zeros = (jnp.zeros_like(x), np.zeros((), jax.dtypes.float0))

        def product(v: jax.Array) -> jax.Array:
            return jax.jvp(jax.grad(energy), (y, x, t), (v, *zeros))[1]

        start = jax.random.normal(jax.random.PRNGKey(1), y.shape, y.dtype)
        values, vectors = eig.eigh_partial(decomp.tridiag_sym(num, reortho="full"))(product, start)
        chosen = jnp.concatenate(
            [jnp.argsort(-jnp.abs(values))[:TOP], jnp.argsort(values)[:BOTTOM]]
        )
        return values[chosen], vectors[chosen]

    one = dense if method == "dense" else krylov
    run = jax.jit(lambda args: jax.lax.map(lambda a: one(*a), args, batch_size=5))
    before = peak_bytes()
    run((y, x, t))[0].block_until_ready()  # compiles
    cpu, wall, values = [], [], y
    for _ in range(int(repeats)):
        begin, clock = time.process_time(), time.perf_counter()
        values, _ = run((y, x, t))
        values.block_until_ready()
        cpu.append(time.process_time() - begin)
        wall.append(time.perf_counter() - clock)
    np.savez(out, cpu=cpu, wall=wall, values=values, growth=peak_bytes() - before)


if __name__ == "__main__":
    main()
