-- Holds the place of blob $2 of project $1 until the transaction ends, if no row has it: whoever stores it meanwhile waits.
insert into blob (project_id, digest, size_bytes, uploaded)
select $1, $2, 0, false where exists (select from project where project_id = $1)
on conflict do nothing
returning digest
