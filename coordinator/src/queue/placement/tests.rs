use super::*;

const GIB: i64 = 1 << 30;
const SECOND: i64 = 1_000_000;

fn demand() -> Demand {
    Demand {
        slots: 1,
        whole_worker: false,
        memory_bytes: GIB,
        labels: Vec::new(),
        limits: Vec::new(),
        revisions: BTreeMap::new(),
    }
}

fn offer(slots: i32) -> Offer {
    Offer { slots, memory_bytes: Some(64 * GIB), ..Offer::default() }
}

fn asker(offer: &Offer) -> Asker<'_> {
    Asker { worker_id: Uuid::new_v4(), offer, max_tasks: 8, used_slots: 0, used_memory_bytes: 0, reserved: None }
}

fn project(weight: i32) -> Project {
    Project { weight, running_tasks: 0, running_slots: 0, running_limit: None }
}

/// Tasks of a project that have waited for these times, in microseconds, at a clock that reads [`NOW`].
fn front(project: usize, priority: i64, waited: impl IntoIterator<Item = i64>) -> Front {
    let candidate = |(number, waited): (usize, i64)| Candidate {
        task_id: Uuid::from_u128((project as u128) << 64 | (priority as u128) << 32 | number as u128),
        ready_micros: NOW - waited,
        document_bytes: 1000,
        near: None,
    };
    Front {
        project,
        demand: demand(),
        priority,
        candidates: waited.into_iter().enumerate().map(candidate).collect(),
        more: false,
    }
}

const NOW: i64 = 1_000_000 * SECOND;

fn scene<'a>(projects: Vec<Project>, fronts: Vec<Front>, askers: Vec<Asker<'a>>) -> Scene<'a> {
    Scene { now_micros: NOW, projects, fronts, limits: BTreeMap::new(), askers, reserved: BTreeSet::new() }
}

/// The fronts that were served, in order.
fn served(placement: &Placement) -> Vec<usize> {
    placement.placed.iter().map(|placed| placed.front).collect()
}

#[test]
fn projects_share_by_weight_whoever_is_older() {
    let big = offer(8);
    let fronts = vec![front(0, 1, (0..20).map(|n| 100 * SECOND + n)), front(1, 1, (0..20).rev())];
    let placement = place(scene(vec![project(3), project(1)], fronts, vec![asker(&big)]));
    assert_eq!(served(&placement), [0, 0, 0, 1, 0, 0, 0, 1]);
}

#[test]
fn a_class_goes_first_until_one_behind_it_has_waited_long() {
    let one = offer(1);
    let urgent = || front(0, 0, [SECOND]);
    let bulk = |waited| front(0, 2, [waited]);
    let first = |waited| served(&place(scene(vec![project(1)], vec![urgent(), bulk(waited)], vec![asker(&one)])));
    assert_eq!(first(2 * AGEING_MICROS - 1), [0]);
    assert_eq!(first(2 * AGEING_MICROS), [1]);
}

#[test]
fn a_limit_closes_its_fronts_and_no_others() {
    let big = offer(8);
    let mut held = front(0, 1, [5; 4]);
    held.demand.limits = vec!["plugin-x".into()];
    let mut unset = front(0, 1, [9; 4]);
    unset.demand.limits = vec!["never-set".into()];
    let mut scene = scene(vec![project(1)], vec![held, unset, front(0, 1, [1; 2])], vec![asker(&big)]);
    scene.limits = [("plugin-x".to_owned(), 2)].into();
    assert_eq!(served(&place(scene.clone())), [0, 0, 2, 2]);
    scene.projects[0].running_limit = Some(3);
    assert_eq!(served(&place(scene)), [0, 0, 2]);
}

#[test]
fn a_task_that_fits_nobody_is_overdue_after_its_time_and_a_worker_kept_free_serves_it_first() {
    let (four, eight) = (offer(4), offer(8));
    let large = |waited| {
        let mut front = front(0, 1, [waited]);
        front.demand.whole_worker = true;
        front.demand.slots = 8;
        front
    };
    let busy = || Asker { used_slots: 1, ..asker(&eight) };
    let overdue = |waited| place(scene(vec![project(1)], vec![large(waited)], vec![asker(&four), busy()])).overdue;
    assert_eq!(overdue(RESERVE_AFTER_MICROS - 1), []);
    let task_id = large(0).candidates[0].task_id;
    assert_eq!(overdue(RESERVE_AFTER_MICROS), [(0, task_id)]);
    // Kept free, and one task left on it: small tasks go elsewhere until it has emptied.
    let kept = Reserved { task_id, slots: 8, memory_bytes: GIB };
    let stream = || front(0, 0, [SECOND; 3]);
    let keeping = Asker { reserved: Some(kept), ..busy() };
    let fronts = vec![large(RESERVE_AFTER_MICROS), stream()];
    let waiting = place(scene(vec![project(1)], fronts.clone(), vec![keeping.clone(), asker(&four)]));
    assert!(waiting.placed.iter().all(|placed| (placed.front, placed.asker) == (1, 1)), "{waiting:?}");
    let emptied = Asker { used_slots: 0, ..keeping };
    let started = place(scene(vec![project(1)], fronts, vec![emptied, asker(&four)]));
    assert_eq!(started.placed[0], Placed { front: 0, task_id, asker: 0, slots: 8 });
}

#[test]
fn nearness_chooses_within_a_front_for_a_while_and_never_between_projects() {
    let one = offer(1);
    let near = asker(&one);
    let with_near = |waited: i64| {
        let mut front = front(0, 1, [waited, waited - 1]);
        front.candidates[1].near = Some(near.worker_id);
        front
    };
    let first = |waited| place(scene(vec![project(1)], vec![with_near(waited)], vec![near.clone()])).placed[0].task_id;
    assert_eq!(first(NEARNESS_PATIENCE_MICROS - 1), with_near(1).candidates[1].task_id);
    assert_eq!(first(NEARNESS_PATIENCE_MICROS), with_near(1).candidates[0].task_id);
    let mut used = project(1);
    used.running_slots = 1;
    let other = vec![with_near(1), front(1, 1, [1])];
    assert_eq!(served(&place(scene(vec![used, project(1)], other, vec![near.clone()]))), [1]);
}

#[test]
fn documents_of_one_answer_stay_within_a_message_but_one_of_any_size_is_given() {
    let big = offer(8);
    let mut large = front(0, 1, [1; 4]);
    large.candidates.iter_mut().for_each(|candidate| candidate.document_bytes = MAX_DOCUMENT_BYTES / 2);
    assert_eq!(place(scene(vec![project(1)], vec![large.clone()], vec![asker(&big)])).placed.len(), 2);
    large.candidates.iter_mut().for_each(|candidate| candidate.document_bytes = 2 * MAX_DOCUMENT_BYTES);
    assert_eq!(place(scene(vec![project(1)], vec![large], vec![asker(&big)])).placed.len(), 1);
}

/// Random scenes: nothing is given twice, to nobody that lacks what it asks, beyond any room or limit; and what is left could
/// not have been given to anyone who still has room.
#[test]
fn no_scene_breaks_a_rule_or_leaves_a_fitting_task() {
    let mut dice = fastrand::Rng::with_seed(7);
    for round in 0..2000 {
        let offers: Vec<Offer> = (0..dice.usize(1..6))
            .map(|_| Offer {
                slots: dice.i32(1..9),
                memory_bytes: dice.bool().then(|| dice.i64(1..9) * GIB),
                labels: if dice.bool() { vec!["gpu".into()] } else { Vec::new() },
                revisions: BTreeMap::new(),
            })
            .collect();
        let projects: Vec<Project> = (0..3)
            .map(|_| Project { running_limit: dice.bool().then(|| dice.i64(0..6)), ..project(dice.i32(1..5)) })
            .collect();
        let fronts: Vec<Front> = (0..dice.usize(1..8))
            .map(|number| {
                let waited: Vec<i64> = (0..dice.usize(1..6)).map(|_| dice.i64(0..60) * SECOND).collect();
                let mut front = front(dice.usize(0..3), dice.i64(0..3), waited);
                front.candidates.iter_mut().for_each(|it| it.task_id = Uuid::from_u128(dice.u128(..)));
                front.demand.slots = dice.i32(1..5);
                front.demand.whole_worker = dice.u8(..4) == 0;
                front.demand.memory_bytes = dice.i64(1..7) * GIB;
                front.demand.labels = if dice.u8(..3) == 0 { vec!["gpu".into()] } else { Vec::new() };
                front.demand.limits = if number % 2 == 0 { vec!["egress".into()] } else { Vec::new() };
                front
            })
            .collect();
        let mut before = scene(projects, fronts, offers.iter().map(asker).collect());
        before.limits = [("egress".to_owned(), dice.i64(0..5))].into();
        let placement = place(before.clone());

        let tasks: BTreeSet<Uuid> = placement.placed.iter().map(|placed| placed.task_id).collect();
        assert_eq!(tasks.len(), placement.placed.len(), "round {round}: given twice");
        let of = |asker: usize| placement.placed.iter().filter(move |placed| placed.asker == asker);
        let free = |index: usize| {
            let memory: i64 = of(index).map(|placed| before.fronts[placed.front].demand.memory_bytes).sum();
            let slots: i32 = of(index).map(|placed| placed.slots).sum();
            (
                before.askers[index].offer.slots - slots,
                before.askers[index].offer.memory_bytes.map(|bytes| bytes - memory),
            )
        };
        for (index, asker) in before.askers.iter().enumerate() {
            let (slots, memory) = free(index);
            assert!(slots >= 0 && memory.is_none_or(|bytes| bytes >= 0), "round {round}: {placement:?}");
            assert!(of(index).all(|placed| asker.offer.meets(&before.fronts[placed.front].demand)), "round {round}");
        }
        let ran = |of: &dyn Fn(&Front) -> bool| {
            placement.placed.iter().filter(|it| of(&before.fronts[it.front])).count() as i64
        };
        for (index, project) in before.projects.iter().enumerate() {
            let running = ran(&|front| front.project == index);
            assert!(project.running_limit.is_none_or(|limit| running <= limit), "round {round}");
        }
        let held = ran(&|front| !front.demand.limits.is_empty());
        assert!(held <= before.limits["egress"], "round {round}");

        for (index, front) in before.fronts.iter().enumerate() {
            let project = &before.projects[front.project];
            let limited = project.running_limit.is_some_and(|limit| ran(&|it| it.project == front.project) >= limit)
                || !front.demand.limits.is_empty() && held >= before.limits["egress"];
            let left =
                front.candidates.len() as i64 > placement.placed.iter().filter(|it| it.front == index).count() as i64;
            let fits = |(asker, of): (usize, &Asker<'_>)| {
                let (slots, memory) = free(asker);
                of.offer.meets(&front.demand)
                    && of_tasks(&placement, asker) < of.max_tasks
                    && front.demand.slots_of(of.offer.slots) <= slots
                    && memory.is_none_or(|bytes| front.demand.memory_bytes <= bytes)
            };
            assert!(
                limited || !left || !before.askers.iter().enumerate().any(fits),
                "round {round}: front {index} waits"
            );
        }
    }
}

fn of_tasks(placement: &Placement, asker: usize) -> usize {
    placement.placed.iter().filter(|placed| placed.asker == asker).count()
}
