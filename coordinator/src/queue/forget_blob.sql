-- Forgets blob $2 of project $1: whoever asks is told that it is missing, and whoever makes it stores it anew.
delete from blob where project_id = $1 and digest = $2
