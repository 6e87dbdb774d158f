"""Which runs are one group, what groups are called, and what differs between them."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from made_up_contenders import made_up_contender

from rnnlab.comparison.groups import differences, group, single, speeds_differ_in


def rows(*contenders) -> dict[str, tuple]:
    groups, _ = group(contenders)
    return {row.name: row.values for row in differences(groups)}


def test_runs_that_differ_in_their_seed_only_are_one_group() -> None:
    runs = [made_up_contender(f"r{seed}", seed=seed) for seed in (3, 1)]
    groups, notices = group([*runs, made_up_contender("other", cell="gru", seed=3)])
    assert [(g.name, g.seeds) for g in groups] == [("r", (1, 3)), ("other", (3,))]
    assert not notices


def test_settings_that_decide_no_result_make_no_other_group_and_no_row() -> None:
    one = made_up_contender("a1", seed=1)
    two = made_up_contender(
        "a2", seed=2, num_log_lines=7, sample_length=0, checkpoint_seconds=1.0, threads=2
    )
    groups, _ = group([one, two])
    assert len(groups) == 1
    assert [row.name for row in differences(single([one, two]))] == ["threads", "seed"]


def test_the_same_settings_and_the_same_seed_are_not_a_sample_of_seeds() -> None:
    runs = [made_up_contender("a", seed=1), made_up_contender("b", seed=1)]
    groups, notices = group([*runs, made_up_contender("c", seed=2)])
    assert [g.name for g in groups] == ["a", "b", "c"]
    assert notices == [
        "a and b have the same settings and the same seed, 1: they are one training, and not "
        "grouped over seeds"
    ]


def test_a_model_folder_is_alone() -> None:
    one = replace(made_up_contender("one"), settings=None)
    groups, _ = group([one, replace(one, name="two", path=one.path / "two")])
    assert [g.name for g in groups] == ["one", "two"]


def test_another_held_out_text_is_another_group() -> None:
    one, two = made_up_contender("one"), made_up_contender("two", seed=1, characters=2_000)
    assert len(group([one, two])[0]) == 2


def test_names_of_groups() -> None:
    def named(*names: str) -> list[str]:
        made = [made_up_contender(n, seed=i % 2, cell=("lstm", "gru")[i // 2])
                for i, n in enumerate(names)]  # fmt: skip
        return [g.name for g in group(made)[0]]

    assert named("lstm-s1", "lstm-s2", "gru_seed1", "gru_seed2") == ["lstm", "gru"]
    assert named("big 1", "big 2", "x.1", "x.2") == ["big", "x"]
    assert named("lstms1", "lstms2", "g0", "g1") == ["lstms", "g"]
    assert named("4f0a", "b21c", "77aa", "12ef") == ["cell=lstm", "cell=gru"]
    assert named("run1", "run2", "run3", "run4") == ["cell=lstm", "cell=gru"]


def test_what_differs_is_named_and_nothing_else() -> None:
    found = rows(
        made_up_contender("a", hidden_size=64), made_up_contender("b", cell="gru", hidden_size=64)
    )
    assert found == {"cell": ("lstm", "gru")}


def test_cells_of_files_have_short_names_that_tell_them_apart() -> None:
    one, two = f"Mine@{'a' * 64}", f"Mine@{'b' * 64}"
    assert rows(made_up_contender("a"), made_up_contender("b", cell=one)) == {
        "cell": ("lstm", "Mine")
    }
    assert rows(made_up_contender("a", cell=one), made_up_contender("b", cell=two)) == {
        "cell": ("Mine (aaaaaa)", "Mine (bbbbbb)")
    }


def test_machines_that_differ_are_told() -> None:
    one, two = made_up_contender("a"), made_up_contender("b", cell="gru")
    two = replace(two, environment={"cpu": "another", "commit": "f00"})
    assert speeds_differ_in(single([one, two])) == ["processor"]
    assert {"processor", "commit"} <= rows(one, two).keys()
    assert not speeds_differ_in(single([one, one]))


@given(st.permutations(range(5)))
def test_the_order_of_groups_is_that_in_which_runs_are_named(order: list[int]) -> None:
    made = [made_up_contender(f"r{n}", hidden_size=n + 1, characters=50) for n in range(5)]
    assert [g.name for g in group([made[n] for n in order])[0]] == [f"r{n}" for n in order]
