-- Workers count the lives in which they register: a Register call of an earlier one that comes late is known by its number,
-- whether it was heard before or not, and ends no attempt of the one that runs.

-- The newest that was heard of; 0 for a worker that does not count.
alter table worker add column life bigint not null default 0
    constraint life_is_not_negative check (life >= 0);
